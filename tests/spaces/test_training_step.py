"""A step of training tells what fails in it before a search begins."""

import keras
import pytest
from keras import layers, ops

from tests.training.models import small
from tuner.errors import SpaceError
from tuner.spaces.training_step import train_one_step

pytestmark = pytest.mark.training
SHAPE = (8, 8, 3)


class FailsInTraining(layers.Layer):  # type: ignore[misc]
    """A layer that only training finds out."""

    def call(self, inputs, training=False):
        if training and ops.sum(inputs) > 0:
            return inputs
        return inputs


def wrong_metric(truth, found):
    return truth.no_such_thing + found


@pytest.mark.parametrize("classes", [2, 3])
def test_a_sound_model_trains(classes):
    assert train_one_step(small(outputs=1 if classes == 2 else 3), SHAPE, classes) is None


def test_a_layer_that_fails_in_training_is_named_by_its_line():
    model = keras.Sequential([keras.Input(SHAPE), FailsInTraining(), *small().layers])
    model.compile("sgd", "binary_crossentropy")
    with pytest.raises(SpaceError, match=r"test_training_step\.py, line \d+"):
        train_one_step(model, SHAPE, 2)


def test_a_metric_that_raises_is_found():
    with pytest.raises(SpaceError, match="no_such_thing"):
        train_one_step(small(metrics=["accuracy", wrong_metric]), SHAPE, 2)


@pytest.mark.skipif(keras.config.backend() == "jax", reason="JAX traces the step alone")
def test_a_loss_that_is_no_number_is_told():
    model = small()
    model.compile("sgd", lambda truth, found: keras.losses.binary_crossentropy(truth, found) + ops.log(-1.0))
    assert "nan" in train_one_step(model, SHAPE, 2)


def test_check_trains_a_step(findings):
    source = """
class Fails(layers.Layer):
    def call(self, inputs, training=False):
        if training and keras.ops.sum(inputs) > 0:
            return inputs
        return inputs

def build(hp):
    return model_of(Fails(), layers.Dense(hp.Int("units", 4, 8)))
"""
    results = findings(source)
    [found] = [text for check, text in results.items() if "trains" in check]
    assert "space.py, line" in found
