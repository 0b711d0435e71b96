"""Corruptions change images as they say, alike each time, and a model's figures under them are its own."""

import csv
import io
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image

from tuner.evaluation import robustness as suite
from tuner.evaluation.corruptions import CORRUPTIONS
from tuner.evaluation.evaluated_predictions import evaluate_model
from tuner.evaluation.labelled_images import LabelledImages
from tuner.evaluation.robustness import robustness, robustness_rows, write_robustness
from tuner.models.loading import ModelFacts
from tuner.results.checked_json import read_checked
from tuner.statistics.headline import headline

BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
POSITIONS = np.arange(6)

each_corruption = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)


def pictures(channels=3, side=32):
    """Smooth shapes with some texture, as photographs have both; neither black nor white."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / side
    waves = np.stack([np.sin(6 * rows + i) + np.cos(9 * columns - i) for i in range(6)])
    images = 120 + 35 * waves[..., None] + rng.normal(0, 6, (6, side, side, channels))
    return np.clip(images, 0, 255).astype(np.uint8)


def error(images, changed):
    return float(np.abs(images.astype(int) - changed).mean())


@each_corruption
def test_the_untouched_strength_changes_nothing(corruption):
    assert np.array_equal(corruption(pictures(), POSITIONS, corruption.untouched), pictures())


@each_corruption
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 32])
def test_images_keep_their_shape_and_type(corruption, channels, side):
    for strength in corruption.strengths:
        images = pictures(channels, side)
        changed = corruption(images, POSITIONS, strength)
        assert changed.shape == images.shape
        assert changed.dtype == np.uint8
        assert not np.array_equal(changed, images)


@each_corruption
def test_the_images_that_are_given_stay_as_they_are(corruption):
    images = pictures()
    corruption(images, POSITIONS, corruption.strengths[-1])
    assert np.array_equal(images, pictures())


@each_corruption
def test_each_strength_changes_more_than_the_one_before(corruption):
    images = pictures()
    errors = [error(images, corruption(images, POSITIONS, strength)) for strength in corruption.strengths]
    assert errors == sorted(errors)


@each_corruption
def test_an_image_is_changed_alike_whatever_is_changed_beside_it(corruption):
    together = corruption(pictures(), POSITIONS, corruption.strengths[2])
    alone = corruption(pictures()[4:5], POSITIONS[4:5], corruption.strengths[2])
    assert np.array_equal(alone[0], together[4])


@pytest.mark.parametrize("name", ["noise", "crop"])
def test_equal_images_at_other_positions_are_changed_otherwise(name):
    twins = pictures()[[0, 0]]
    first, second = BY_NAME[name](twins, np.array([0, 1]), BY_NAME[name].strengths[-1])
    assert not np.array_equal(first, second)


def test_jpeg_is_what_pillow_writes_and_reads():
    image = pictures()[0]
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=50)
    assert np.array_equal(BY_NAME["JPEG"](image[None], POSITIONS[:1], 50)[0], np.asarray(Image.open(file)))


def test_noise_has_the_deviation_that_it_says():
    images = np.full((6, 64, 64, 3), 128, np.uint8)
    assert BY_NAME["noise"](images, POSITIONS, 10).std() == pytest.approx(10, rel=0.02)


def test_brightness_multiplies_and_stops_at_white():
    images = np.array([10, 100, 200], np.uint8).reshape(1, 1, 1, 3)
    assert BY_NAME["brighter"](images, POSITIONS[:1], 2).ravel().tolist() == [20, 200, 255]


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_watermark_is_seen_on_any_ground(grey):
    images = np.full((1, 32, 32, 3), grey, np.uint8)
    changed = BY_NAME["watermark"](images, POSITIONS[:1], 0.5)
    assert int(np.abs(changed.astype(int) - grey).max()) > 50


@dataclass(frozen=True)
class ByBrightness:
    """A model whose last class is the brighter one; it knows no more."""

    facts: ModelFacts
    bounds: tuple[float, ...]

    def predict(self, images, indices):
        mean = images[indices].mean(axis=(1, 2, 3))
        below = np.stack([1 / (1 + np.exp((mean - bound) / 10)) for bound in self.bounds], axis=1)
        edges = np.hstack([np.zeros((len(mean), 1)), np.sort(below, axis=1), np.ones((len(mean), 1))])
        return np.diff(edges, axis=1)


def all_of(dataset, *bounds):
    names = dataset.class_names
    model = ByBrightness(ModelFacts("bright", None, names), bounds)
    indices = np.arange(len(dataset.labels))
    images = LabelledImages(dataset, indices, dataset.labels, names, "all", "all images", False)
    return model, images, evaluate_model(model, images)


@pytest.fixture(scope="module")
def two(dataset):
    return all_of(dataset, 127.0)


@pytest.fixture(scope="module")
def found(two):
    return robustness(*two)


def test_untouched_images_have_the_figures_of_the_evaluation(two, found):
    _, _, evaluated = two
    assert headline(evaluated.evaluation()).items() <= found["corruptions"][0]["levels"][0].items()
    assert len({level["levels"][0]["accuracy"] for level in found["corruptions"]}) == 1


def test_there_is_a_level_for_each_strength(found):
    for corruption, values in zip(CORRUPTIONS, found["corruptions"], strict=True):
        strengths = [level["strength"] for level in values["levels"]]
        assert strengths == [corruption.untouched, *corruption.strengths]


def test_figures_under_a_corruption_are_those_of_the_corrupted_images(two, found):
    model, images, evaluated = two
    darker = BY_NAME["darker"](images.dataset.images[:], images.indices, 0.4)
    there = replace(evaluated, predictions=images.predictions(model.predict(darker, images.indices)))
    (values,) = (values for values in found["corruptions"] if values["name"] == "darker")
    level = next(level for level in values["levels"] if level["strength"] == 0.4)
    assert level == {"strength": 0.4, **headline(there.evaluation())}
    assert level["accuracy"] < evaluated.evaluation()["accuracy"]


def test_the_size_of_blocks_makes_no_difference(two, found, monkeypatch):
    monkeypatch.setattr(suite, "_BLOCK_IMAGES", 50)
    monkeypatch.setattr(suite, "_PART_IMAGES", 7)
    assert robustness(*two) == found


def test_progress_counts_to_all_images_of_all_strengths(two):
    told = []
    robustness(*two, CORRUPTIONS[:2], lambda done, total: told.append((done, total)))
    assert told[-1] == (10 * 120, 10 * 120)
    assert told == sorted(told)


def test_of_three_classes_the_auroc_is_the_mean_of_each_against_the_rest(three_classes):
    model, images, evaluated = all_of(three_classes, 90.0, 150.0)
    values = robustness(model, images, evaluated, CORRUPTIONS[:1])
    level = values["corruptions"][0]["levels"][0]
    assert level["auroc"] == evaluated.evaluation()["macro"]["auroc"]
    assert level["auroc_interval_95"] == evaluated.evaluation()["macro"]["auroc_interval_95"]


def test_the_files_hold_every_level_and_a_picture(found, tmp_path):
    write_robustness(tmp_path, found, "a model on data")
    assert read_checked(tmp_path / "robustness.json") == json.loads(json.dumps(found))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "robustness.csv").read_text())))
    assert len(rows) == len(robustness_rows(found)) == sum(1 + len(c.strengths) for c in CORRUPTIONS)
    assert all(float(row["accuracy_low_95"]) <= float(row["accuracy"]) for row in rows)
    with Image.open(tmp_path / "robustness.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
