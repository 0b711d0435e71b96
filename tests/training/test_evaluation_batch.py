"""Evaluation takes no more memory than it may, whatever the size of the images."""

import math

import keras
import numpy as np
import pytest
from keras import layers

from tests.training.models import small
from tuner.training.evaluation_batch import BUDGET_MIB, COPIES, MAX_EVALUATION_BATCH, evaluation_batch
from tuner.training.loop import KerasLoop, make_loop

pytestmark = pytest.mark.training


def convolutional(side, filters):
    return keras.Sequential(
        [keras.Input((side, side, 3)), layers.Conv2D(filters, 3, padding="same"), layers.Flatten()]
    )


class Subclassed(keras.Model):  # type: ignore[misc]
    """Its layers are called where no graph tells their shapes."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(1)

    def call(self, inputs):
        return self.last(layers.Flatten()(inputs))


def test_small_images_are_evaluated_in_large_batches(dataset):
    assert make_loop(small(), dataset.images, dataset.labels).evaluation_batch == MAX_EVALUATION_BATCH


@pytest.mark.parametrize(("side", "filters"), [(64, 64), (224, 64), (512, 128)])
def test_maps_of_a_batch_fit_the_budget(side, filters):
    found = evaluation_batch(convolutional(side, filters), (side, side, 3))
    one = COPIES * 4 * side * side * filters
    assert found * one <= BUDGET_MIB * 2**20 or found == 1
    assert found == MAX_EVALUATION_BATCH or (found + 1) * one > BUDGET_MIB * 2**20


def test_maps_inside_a_model_within_the_model_count():
    inner = convolutional(224, 64)
    model = keras.Sequential([keras.Input((224, 224, 3)), inner, layers.Dense(1)])
    assert evaluation_batch(model, (224, 224, 3)) == evaluation_batch(inner, (224, 224, 3)) < 64


def test_a_model_that_does_not_tell_its_shapes_is_taken_for_a_usual_one():
    assert evaluation_batch(Subclassed(), (32, 32, 3)) == MAX_EVALUATION_BATCH
    assert 1 < evaluation_batch(Subclassed(), (224, 224, 3)) < 64


def test_the_batch_shrinks_with_that_of_the_training(dataset):
    """Which is halved where memory runs out."""
    sizes = [
        make_loop(small(), dataset.images, dataset.labels, batch_size=size).evaluation_batch
        for size in (64, 32, 16)
    ]
    assert sizes[0] == 2 * sizes[1] == 4 * sizes[2]


class Hungry(layers.Layer):  # type: ignore[misc]
    """Has memory for so many images."""

    def __init__(self, most):
        super().__init__()
        self.most, self.seen = most, []

    def call(self, inputs):
        if isinstance(inputs.shape[0], int):
            self.seen.append(inputs.shape[0])
            if inputs.shape[0] > self.most:
                raise MemoryError("too many images")
        return inputs


def eager(most, side=8):
    model = keras.Sequential(
        [keras.Input((side, side, 3)), Hungry(most), layers.Flatten(), layers.Dense(1, "sigmoid")]
    )
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="other backends trace models run eagerly")
def test_where_memory_runs_out_half_of_the_images_are_tried(dataset):
    keras.utils.set_random_seed(0)
    model = eager(most=20)
    loop = KerasLoop(model, dataset.images, dataset.labels)
    indices = np.resize(np.arange(len(dataset.labels)), 100)
    metrics, outputs = loop.evaluate(indices), loop.predict(indices)
    assert 10 < loop.evaluation_batch <= 20
    model.layers[0].most = math.inf
    loop.evaluation_batch = 100
    assert metrics == pytest.approx(loop.evaluate(indices), rel=1e-5)
    np.testing.assert_allclose(outputs, loop.predict(indices), rtol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="other backends trace models run eagerly")
def test_a_single_image_that_does_not_fit_is_an_error(dataset):
    loop = KerasLoop(eager(most=0), dataset.images, dataset.labels)
    with pytest.raises(MemoryError):
        loop.predict(np.arange(8))
    assert loop.evaluation_batch == 1
