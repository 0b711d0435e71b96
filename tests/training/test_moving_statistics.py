"""Validation and export see statistics of batch normalization that fit the weights, whatever the momentum."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.conftest import SIDE
from tests.training.loops import order_of
from tests.training.models import ACCURACY, epochs_of, run
from tuner.training.checkpoint import load_best
from tuner.training.loop import KerasLoop, make_loop
from tuner.training.moving_statistics import statistics_batches

pytestmark = pytest.mark.training

KINDS = [make_loop, KerasLoop]
# Keras' own, with which hundreds of steps leave much of the initial statistics.
MOMENTUM = 0.99


def normalized(momentum=MOMENTUM, trainable=True, dropout=0.0):
    """A classifier whose first layer that learns anything normalizes the pixels themselves."""
    normalization = layers.BatchNormalization(momentum=momentum, name="normalization")
    normalization.trainable = trainable
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 1000),
            normalization,
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(momentum=momentum),
            layers.Dropout(dropout),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


def statistics(model):
    layer = model.get_layer("normalization")
    return np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_are_the_means_over_the_batches(kind, dataset):
    model = normalized()
    loop = kind(model, dataset.images, dataset.labels)
    loop.train_epoch(order_of(dataset), 16, lambda *_: None)
    batches = order_of(dataset)[:48].reshape(3, 16)
    loop.renew_statistics(batches)
    pixels = dataset.images[batches].astype(np.float64) / 1000
    mean, variance = statistics(model)
    np.testing.assert_allclose(mean, pixels.mean(axis=(1, 2, 3)).mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(variance, pixels.var(axis=(1, 2, 3)).mean(axis=0), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_momentum_of_the_training_stays(kind, dataset):
    model = normalized()
    kind(model, dataset.images, dataset.labels).renew_statistics(order_of(dataset)[:32].reshape(2, 16))
    assert model.get_layer("normalization").momentum == MOMENTUM
    assert model.get_config()["layers"][2]["config"]["momentum"] == MOMENTUM


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_layer_keeps_its_statistics(kind, dataset):
    model = normalized(trainable=False)
    before = statistics(model)
    loop = kind(model, dataset.images, dataset.labels)
    loop.renew_statistics(order_of(dataset)[:32].reshape(2, 16))
    np.testing.assert_array_equal(statistics(model), before)


def test_the_weights_do_not_change(dataset):
    model = normalized(dropout=0.5)
    before = [np.asarray(each) for each in model.trainable_variables]
    loop = make_loop(model, dataset.images, dataset.labels)
    loop.renew_statistics(order_of(dataset)[:32].reshape(2, 16))
    for was, now in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(was, np.asarray(now))


@pytest.mark.parametrize("momentum", [0.9, MOMENTUM, 0.999])
def test_a_short_training_validates_alike_with_every_momentum(momentum, dataset, tmp_path):
    def val_loss(each, folder):
        _, events = run(folder, lambda _: normalized(each), dataset, epochs=2, objective=ACCURACY)
        return epochs_of(events)[-1].epoch.metrics["val_loss"]

    reference = val_loss(0.5, tmp_path / "reference")
    assert val_loss(momentum, tmp_path / "tried") == pytest.approx(reference, rel=1e-4)


def test_the_best_weights_are_those_that_were_validated(dataset, tmp_path):
    _, events = run(tmp_path, lambda _: normalized(), dataset, epochs=1, objective=ACCURACY)
    model = normalized()
    load_best(tmp_path, model)
    found = make_loop(model, dataset.images, dataset.labels).evaluate(dataset.splits["validation"])
    metrics = epochs_of(events)[-1].epoch.metrics
    assert found["loss"] == pytest.approx(metrics["val_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("images", "batch_size", "shape"),
    [
        (100, 32, (3, 32)),
        (20, 32, (1, 20)),
        (1000, 32, (8, 32)),
        (4000, 100, (5, 100)),
        (90_000, 128, (8, 128)),
        (90_000, 100, (11, 100)),
    ],
)
def test_an_eighth_of_the_images_is_taken_in_whole_batches(images, batch_size, shape):
    """At least 256 where there are so many, at most 1,024 rounded up to a batch."""
    assert statistics_batches(np.arange(images), batch_size).shape == shape
