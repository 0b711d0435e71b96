"""A model is loaded from its file as far as the file goes."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from tests.sources.refusals import refusal
from tuner.data.decoding import Format
from tuner.errors import UsageError
from tuner.models.loading import TrainedModel, describe_model, load_model
from tuner.sources.pixel_range import PixelRange

pytestmark = pytest.mark.training
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)


def own_loss(truth, found):
    return keras.ops.mean((truth - found) ** 2, axis=-1)


class OwnLoss(keras.losses.BinaryCrossentropy):  # type: ignore[misc]
    """A loss that no other program knows."""


def described(path, **facts):
    path.touch()
    path.with_suffix(".json").write_text(json.dumps({"class_names": ["FAKE", "REAL"], **facts}))
    return describe_model(str(path), path.parent)


def test_an_export_knows_how_the_images_of_its_training_were_read(tmp_path):
    known = {"integer_max": 4095, "float_low": -1.0, "float_high": 1.0}
    facts = described(tmp_path / "model.keras", resize="pad", pixel_range=known)
    assert TrainedModel(facts, (8, 8, 1), None).image_format == Format(
        8, 1, "pad", PixelRange(4095, -1.0, 1.0)
    )


def test_an_export_without_these_facts_reads_images_as_ever(tmp_path):
    facts = described(tmp_path / "model.keras")
    assert TrainedModel(facts, (8, 8, 3), None).image_format == Format(8, 3)


@pytest.mark.parametrize("facts", [{"resize": "stretch"}, {"pixel_range": {"floats": 1}}])
def test_facts_of_another_program_are_refused(tmp_path, facts):
    with refusal(UsageError, "model.json"):
        described(tmp_path / "model.keras", **facts)


@pytest.mark.parametrize(
    ("loss", "activation"), [(own_loss, "sigmoid"), (OwnLoss(), "sigmoid"), (OwnLoss(from_logits=True), None)]
)
def test_a_model_with_a_loss_and_a_metric_of_ones_own_predicts(tmp_path, loss, activation):
    scaled = [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten()]
    model = keras.Sequential([*scaled, layers.Dense(1, activation=activation)])
    model.compile("sgd", loss, metrics=[own_loss])
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = load_model(describe_model(str(path), tmp_path, ("FAKE", "REAL")), trust=False)
    expected = keras.ops.convert_to_numpy(model(IMAGES))
    expected = expected if activation else 1 / (1 + np.exp(-expected))
    assert np.allclose(loaded.predict(IMAGES, np.arange(3))[:, 1:], expected, atol=1e-5)
