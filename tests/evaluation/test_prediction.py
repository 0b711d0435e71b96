import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.sources.pictures import encoded, png, write_folder
from tuner.data.image_paths import InputImages
from tuner.errors import UsageError
from tuner.evaluation.prediction import NOT_FINITE, decision_rule, predict_images
from tuner.models.loading import ModelFacts, TrainedModel
from tuner.sources.pixel_range import PixelRange
from tuner.statistics.thresholds import Chosen

OWN = np.array([[0.9, 0.1], [0.7, 0.3], [0.5, 0.5], [0.3, 0.7]])


def facts(*class_names, **changes):
    return ModelFacts("m.keras", Path("m.keras"), class_names or ("FAKE", "REAL"), **changes)


class Says(TrainedModel):
    """A model that says one thing after another."""

    def predict(self, images, indices, _=None):
        assert len(images) == len(indices)
        return np.array(self.model[: len(images)])


def predictions(folder, rows, **files):
    write_folder(folder, {f"{name}.png": data for name, data in files.items()})
    model = Says(facts(), (8, 8, 3), rows)
    images = InputImages([str(folder)])
    return [row for part in predict_images(model, images, decision_rule(model.facts)) for row in part]


@pytest.mark.parametrize(("positive", "expected"), [("FAKE", [0, 0, 1, 1]), ("REAL", [0, 0, 0, 1])])
def test_a_threshold_is_on_the_positive_class_and_reaching_it_is_enough(positive, expected):
    rule = decision_rule(facts(positive_class=positive, chosen=Chosen(0.7)))
    assert rule.classes(OWN).tolist() == expected


def test_without_a_threshold_a_tie_goes_as_in_an_evaluation():
    assert decision_rule(facts()).classes(OWN).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("positive", ["FAKE", "REAL"])
@pytest.mark.parametrize("temperature", [0.3, 1.7])
def test_the_chosen_threshold_moves_with_calibrated_probabilities(positive, temperature):
    known = facts(positive_class=positive, chosen=Chosen(0.7, temperature))
    own, mended = decision_rule(known), decision_rule(known, calibrated=True)
    assert mended.threshold != own.threshold
    assert mended.classes(mended.shown(OWN)).tolist() == own.classes(own.shown(OWN)).tolist()


def test_a_given_threshold_is_on_what_is_shown():
    rule = decision_rule(facts(positive_class="FAKE", chosen=Chosen(0.2, 2.0)), 0.7, calibrated=True)
    assert (rule.threshold, rule.source) == (0.7, "given")


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises(UsageError, match=rf"threshold {re.escape(str(threshold))} .*\b0 to 1\b"):
        decision_rule(facts(), threshold)


def test_more_than_two_classes_have_no_threshold():
    three = facts("ant", "bee", "cat")
    assert decision_rule(three).classes(np.array([[0.2, 0.5, 0.3]])).tolist() == [1]
    with pytest.raises(UsageError, match=r"\b3\b.*--threshold"):
        decision_rule(three, 0.5)


def test_images_that_cannot_be_read_keep_their_place(tmp_path):
    rows = predictions(tmp_path, [[0.9, 0.1], [0.2, 0.8]], a=png(1), b=b"", c=png(2))
    assert [row.prediction for row in rows] == ["FAKE", None, "REAL"]
    assert [row.probabilities for row in rows] == [(0.9, 0.1), None, (0.2, 0.8)]
    assert [row.error is None for row in rows] == [True, False, True]
    assert "empty" in rows[1].error


def test_a_model_is_not_asked_about_nothing(tmp_path):
    (row,) = predictions(tmp_path, None, a=b"")
    assert "empty" in row.error


def test_an_output_that_is_no_number_is_an_error(tmp_path):
    rows = predictions(tmp_path, [[np.nan, np.nan], [0.2, 0.8]], a=png(1), b=png(2))
    assert [row.error for row in rows] == [NOT_FINITE, None]
    assert [row.prediction for row in rows] == [None, "REAL"]


def test_images_become_what_the_training_saw(tmp_path):
    """A 12-bit image, wide, with a model that was trained on padded ones."""
    pixels = np.full((4, 8), 4095, np.uint16)
    files = {"a.png": encoded(Image.fromarray(pixels)), "b.png": encoded(Image.fromarray(pixels * 16))}
    seen = []

    class Looks(Says):
        def predict(self, images, indices, _=None):
            seen.append(images)
            return super().predict(images, indices)

    model = Looks(facts(resize="pad", pixel_range=PixelRange(4095)), (8, 8, 1), OWN)
    images = InputImages([str(write_folder(tmp_path, files))])
    ((good, beyond),) = predict_images(model, images, decision_rule(model.facts))
    assert seen[0][0, :, 0, 0].tolist() == [0, 0, 255, 255, 255, 255, 0, 0]
    assert good.error is None
    assert "0..4095" in beyond.error
