"""The mean of several models, as a model."""

import warnings

import keras
import numpy as np
import pytest

from tests.conftest import SIDE
from tests.training.models import small
from tuner.errors import TunerError
from tuner.training.averaging import average
from tuner.training.build import probabilities
from tuner.training.loop import make_loop

pytestmark = pytest.mark.training

IMAGES = np.random.default_rng(0).integers(0, 256, (6, SIDE, SIDE, 3)).astype(np.uint8)
LABELS = np.arange(len(IMAGES), dtype=np.int32) % 2


def logits(outputs):
    """A model without an activation at its end, and with a normalisation that training would change."""
    layers = keras.layers
    model = keras.Sequential([layers.Flatten(), layers.BatchNormalization(), layers.Dense(outputs)])
    kind = keras.losses.BinaryCrossentropy if outputs == 1 else keras.losses.SparseCategoricalCrossentropy
    model.compile("adam", kind(from_logits=True))
    model.build((None, SIDE, SIDE, 3))
    return model


def sigmoid_units(last="sigmoid"):
    """A model whose outputs, one for each of three classes, do not have the sum 1."""
    model = small(outputs=3)
    model.layers[-1].activation = keras.activations.get(last)
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=last is None))
    return model


def predicted(model):
    found = make_loop(model, IMAGES, LABELS).predict(np.arange(len(IMAGES)))
    return probabilities(model, found)


@pytest.mark.parametrize("outputs", [1, 3])
def test_its_output_is_the_mean_of_probabilities_and_it_loads_without_this_program(outputs, tmp_path):
    members = [small(outputs=outputs), small(outputs=outputs, dropout=0.5), logits(outputs)]
    expected = np.mean([predicted(member) for member in members], axis=0)
    made = average(members)
    made.save(tmp_path / "model.keras")
    np.testing.assert_allclose(predicted(made), expected, atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predicted(loaded), expected, atol=1e-6)
    assert set(loaded.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)) == {"loss", "accuracy"}


def test_logits_are_known_by_a_loss_in_a_list():
    plain, listed = logits(3), logits(3)
    listed.set_weights(plain.get_weights())
    listed.compile("adam", [plain.loss])
    np.testing.assert_allclose(predicted(average([listed, listed])), predicted(plain), atol=1e-6)


@pytest.mark.parametrize("last", ["sigmoid", None])
def test_sigmoid_units_have_the_sum_1_in_the_mean(last, tmp_path):
    members = [sigmoid_units(last), small(outputs=3)]
    expected = np.mean([predicted(member) for member in members], axis=0)
    made = average(members)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predicted(loaded), expected, atol=1e-6)


def test_models_with_different_outputs_have_no_mean():
    with pytest.raises(TunerError, match="models with 1 and 2 outputs"):
        average([small(), small(outputs=2)])
