"""Training on TensorFlow: images in memory, many steps a dispatch, fused optimizer updates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import psutil
import tensorflow as tf
from tensorflow.python.client import device_lib

from tuner.training.batches import PLAIN_BATCHES, TrainingBatches, no_draws
from tuner.training.build import blaming_the_space
from tuner.training.kernels_tensorflow import fuse_updates
from tuner.training.loop_base import Loop, flat, floats
from tuner.training.moving_statistics import averaging, normalizations
from tuner.training.pipeline import FIRST_STEPS, OnStep, chunks, held, loss_of, next_steps
from tuner.training.pixels import pixels_of, scaled


class TensorFlowLoop(Loop):
    """Runs the model's own `train_step` and `test_step` in a graph loop that gathers its batches itself."""

    self_contained = True

    def __init__(
        self,
        model: Any,
        images: np.ndarray,
        labels: np.ndarray,
        xla: bool = False,
        batches: TrainingBatches = PLAIN_BATCHES,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(model, images, labels, batches, batch_size)
        on_device = held(images, labels, _as_tensors, _free_bytes)
        self._held = on_device is not None
        if self._held:
            self._images, self._labels = on_device
        self._steps = FIRST_STEPS
        if model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)
            fuse_updates(model.optimizer)
        # A graph that creates variables is traced twice, so the metrics create theirs now.
        image, label = self._test_batches.make(*_as_tensors(images[:1], labels[:1]), None)
        with blaming_the_space():
            model.compute_metrics(image, label, model(image, training=False))
        shape = images.shape[1:]
        self._train_steps = _graph_loop(model, "train_step", shape, self._training_batches.make, xla)
        self._test_steps = _graph_loop(model, "test_step", shape, self._test_batches.make)
        self._renew_statistics = _statistics_loop(model, shape)
        self._predict_batch = tf.function(
            lambda images: model(scaled(images, pixels_of(model)), training=False),
            reduce_retracing=True,
            autograph=False,
        )

    def trace(self) -> None:
        with blaming_the_space():
            self._train_steps.get_concrete_function()
            self._test_steps.get_concrete_function()
        if self._renew_statistics is not None:
            self._renew_statistics.get_concrete_function()

    def _train_epoch(
        self, order: np.ndarray, batch_size: int, on_step: OnStep, draws: np.ndarray
    ) -> dict[str, float]:
        self._model.reset_metrics()
        done, logs = 0, {}
        remaining = order
        while len(remaining):
            part = chunks(remaining, batch_size, self._steps)[0]
            start = time.perf_counter()
            drawn = draws[done : done + part.size].reshape(*part.shape, draws.shape[1])
            logs = floats(self._train_steps(*self._feed(part), drawn)[0])
            self._steps = next_steps(self._steps, len(part), time.perf_counter() - start)
            done += part.size
            remaining = remaining[part.size :]
            on_step(done, loss_of(logs))
        return logs

    def renew_statistics(self, batches: np.ndarray) -> None:
        if self._renew_statistics is not None:
            images, _, order = self._feed(batches)
            self._renew_statistics(images, order)

    def _evaluate(self, indices: np.ndarray) -> tuple[dict[str, float], list[np.ndarray]]:
        self._model.reset_metrics()
        logs: dict[str, float] = {}
        outputs = []
        for part in chunks(indices, self.evaluation_batch, 8):
            drawn = no_draws(part).reshape(*part.shape, 0)
            found, seen = self._test_steps(*self._feed(part), drawn)
            logs = floats(found)
            outputs += [each.numpy() for each in seen]
        return logs, outputs

    def _predict(self, indices: np.ndarray) -> np.ndarray:
        outputs = []
        for part in chunks(indices, self.evaluation_batch, 1):
            images, _, order = self._feed(part)
            outputs.append(self._predict_batch(tf.gather(images, order[0])).numpy())
        return np.concatenate(outputs)

    def _feed(self, part: np.ndarray) -> tuple[Any, Any, Any]:
        """Return images, labels and an order (steps, batch) of their indices."""
        if self._held:
            return self._images, self._labels, tf.constant(part, tf.int32)
        flat = part.reshape(-1)
        order = tf.reshape(tf.range(part.size), part.shape)
        return *_as_tensors(self._images[flat], self._labels[flat]), order


def _graph_loop(model: Any, name: str, image_shape: tuple[int, ...], make: Any, xla: bool = False) -> Any:
    """Return a graph that runs a step of the model for each row of an order (steps, batch).

    It returns the metrics and a list, with the outputs (steps * batch, n) for Keras' own test step. As in
    Keras, a user's own step may report other values; then it returns those of the last row.

    Args:
        name: Name of the step, a method of the model.
        make: Turns images, labels and draws of a row into the arguments of a step.
    """
    step, own = getattr(model, name), _is_own(model, name)
    if own or xla:
        # XLA compiles the step alone: a batch has a constant shape, a dispatch any number of steps. A user's
        # own step is traced alone too, because the loop has to know its report beforehand.
        step = tf.function(step, jit_compile=xla or None, autograph=False)

    def run(images: Any, labels: Any, order: Any, draws: Any) -> Any:
        def arguments(row: Any) -> Any:
            batch = order[row]
            return make(tf.gather(images, batch), tf.gather(labels, batch), draws[row])

        def body(row: Any, logs: Any, outputs: Any) -> Any:
            with _outputs_of(model) as seen:
                found = flat(step(arguments(row)))
            outputs = [array.write(row, tf.cast(tf.nest.flatten(seen)[0], tf.float32)) for array in outputs]
            return row + 1, {each: found[each] for each in logs}, outputs

        reported = step.get_concrete_function(arguments(tf.constant(0))).structured_outputs if own else None
        logs = {}
        if isinstance(reported, dict) and flat(reported).keys() != model.get_metrics_result().keys():
            logs = {each: tf.zeros(spec.shape, spec.dtype) for each, spec in flat(reported).items()}
        steps = tf.shape(order)[0]
        keeps = name == "test_step" and not own
        outputs = [tf.TensorArray(tf.float32, steps)] if keeps else []
        # Steps depend on each other through the variables, so they may not overlap.
        _, logs, outputs = tf.while_loop(
            lambda row, *_: row < steps, body, [tf.constant(0), logs, outputs], parallel_iterations=1
        )
        return logs or model.get_metrics_result(), [array.concat() for array in outputs]

    signature = [
        tf.TensorSpec([None, *image_shape], tf.uint8),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, None], tf.int32),
        tf.TensorSpec([None, None, None], tf.float32),
    ]
    # As in Keras' own train function, Python control flow in layers stays Python.
    return tf.function(run, input_signature=signature, autograph=False)


@contextmanager
def _outputs_of(model: Any) -> Iterator[list[Any]]:
    """Yield a list that collects the outputs that a step passes to the metrics."""
    seen = []
    plain, own = model.compute_metrics, vars(model).get("compute_metrics")

    def compute_metrics(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        seen.append(y_pred)
        return plain(x, y, y_pred, sample_weight=sample_weight)

    model.compute_metrics = compute_metrics
    try:
        yield seen
    finally:
        if own is None:
            del model.compute_metrics
        else:
            model.compute_metrics = own


def _statistics_loop(model: Any, image_shape: tuple[int, ...]) -> Any:
    """Return a graph that computes moving statistics over the rows of an order, None without statistics."""
    layers = normalizations(model)
    if not layers:
        return None

    def run(images: Any, order: Any) -> None:
        def body(row: Any) -> Any:
            with averaging(layers, tf.cast(row, tf.float32)):
                model(scaled(tf.gather(images, order[row]), pixels_of(model)), training=True)
            return row + 1

        tf.while_loop(lambda row: row < tf.shape(order)[0], body, [tf.constant(0)], parallel_iterations=1)

    signature = [tf.TensorSpec([None, *image_shape], tf.uint8), tf.TensorSpec([None, None], tf.int32)]
    return tf.function(run, input_signature=signature, autograph=False)


def _is_own(model: Any, name: str) -> bool:
    """True for a method that the user defined, for the model's class or for the model alone."""
    return name in vars(model) or getattr(type(model), name) is not getattr(keras.Model, name)


def _as_tensors(images: np.ndarray, labels: np.ndarray) -> tuple[Any, Any]:
    return tf.constant(images), tf.constant(labels.astype(np.int32))


def _free_bytes() -> int:
    """Return the free memory of the device that holds tensors."""
    if not tf.config.list_logical_devices("GPU"):
        return int(psutil.virtual_memory().available)
    devices = device_lib.list_local_devices()
    limit = next(device.memory_limit for device in devices if device.device_type == "GPU")
    return int(limit - tf.config.experimental.get_memory_info("GPU:0")["current"])
