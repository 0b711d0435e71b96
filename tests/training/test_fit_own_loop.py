"""A user's own fit trains by a loop of its own."""

# ruff: noqa: ARG001 - the arguments of Keras Tuner
import keras
import numpy as np
import pytest

from tests.training.fits import Fitting, metrics_of
from tests.training.models import assert_same_state, epochs_of, run
from tuner.training.checkpoint import read_history

pytestmark = pytest.mark.training


def own_loop(hp, model, x, y, validation_data=None, callbacks=(), **kwargs):
    """A training loop as the guide of Keras Tuner shows it."""
    for callback in callbacks:
        callback.set_model(model)
    for epoch in range(3):
        loss = float(np.ravel(model.train_on_batch(x, y))[0])
        for callback in callbacks:
            callback.on_epoch_end(epoch, logs={"own_loss": loss})
    return loss


def test_a_training_loop_of_its_own_trains_and_is_validated_after_each_epoch(dataset, tmp_path):
    done, events = run(tmp_path, Fitting(own_loop), dataset, epochs=9)
    assert (done.epochs, done.stopped_early) == (3, True)
    assert all({"own_loss", "val_loss", "val_accuracy"} <= each.keys() for each in metrics_of(events))
    assert read_history(tmp_path)[-1].final


def test_a_training_loop_of_its_own_begins_again_after_an_interruption(dataset, tmp_path):
    run(tmp_path / "parts", Fitting(own_loop), dataset, epochs=2)
    done, events = run(tmp_path / "parts", Fitting(own_loop), dataset, epochs=3, epochs_reported=2)
    run(tmp_path / "once", Fitting(own_loop), dataset, epochs=3)
    assert (done.epochs, len(epochs_of(events))) == (3, 1)
    assert_same_state(tmp_path / "parts", tmp_path / "once")


@pytest.mark.parametrize("value", [None, 0.5, {"own": 0.5}])
def test_a_fit_that_calls_no_callback_is_one_epoch(dataset, tmp_path, value):
    def fit(hp, model, x, y, **kwargs):
        model.train_on_batch(x, y)
        return value

    done, events = run(tmp_path, Fitting(fit), dataset, epochs=4)
    assert (done.epochs, done.stopped_early) == (1, True)
    assert metrics_of(events)[0].get("own") == (0.5 if isinstance(value, dict) else None)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="a gradient tape is TensorFlow's")
def test_the_training_loop_of_keras_tuners_guide_trains(dataset, tmp_path):
    import tensorflow as tf

    def fit(hp, model, x, y, validation_data, callbacks=None, **kwargs):
        batch_size = hp.Int("batch_size", 8, 32, step=8)
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size)
        others = tf.data.Dataset.from_tensor_slices(validation_data).batch(batch_size)
        optimizer = keras.optimizers.Adam(hp.Float("learning_rate", 0.01, 0.1))
        loss_of, mean = keras.losses.BinaryCrossentropy(), keras.metrics.Mean()

        @tf.function
        def train_step(images, labels):
            with tf.GradientTape() as tape:
                loss = loss_of(labels, model(images, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        for callback in callbacks:
            callback.set_model(model)
        for epoch in range(3):
            for images, labels in batches:
                train_step(images, labels)
            for images, labels in others:
                mean.update_state(loss_of(labels, model(images)))
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"own_loss": mean.result()})
            mean.reset_state()
        return float(mean.result())

    _, events = run(tmp_path, Fitting(fit), dataset, epochs=3)
    losses = [each["val_loss"] for each in metrics_of(events)]
    assert losses == sorted(losses, reverse=True)
    assert [each["own_loss"] for each in metrics_of(events)] == pytest.approx(losses, rel=0.05)
