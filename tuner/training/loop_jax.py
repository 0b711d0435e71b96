"""Training on JAX: images on the device, many steps a dispatch, no function compiled twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import psutil

from tuner.training.batches import PLAIN_BATCHES, TrainingBatches, no_draws
from tuner.training.build import blaming_the_space
from tuner.training.loop_base import Loop, flat, floats
from tuner.training.moving_statistics import averaging, normalizations
from tuner.training.pipeline import FIRST_STEPS, OnStep, held, loss_of, next_steps
from tuner.training.pixels import pixels_of, scaled

# Size of the parts that are put on the device in turn if it cannot hold all images.
WINDOW_BYTES = 2**26


@dataclass(frozen=True)
class _Window:
    """Images and labels on the device, and batches of them as rows of indices.

    `draws` (rows, batch, n) are random numbers for each image. Only the first `count` rows count; the others
    keep the shape constant, since each new shape is a new compilation.
    """

    images: Any
    labels: Any
    rows: Any
    draws: Any
    count: int


class JaxLoop(Loop):
    """Runs the model's own `train_step` and `test_step`, compiled, on batches gathered on the device."""

    def __init__(
        self,
        model: Any,
        images: np.ndarray,
        labels: np.ndarray,
        batches: TrainingBatches = PLAIN_BATCHES,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(model, images, labels.astype(np.int32), batches, batch_size)
        on_device = held(images, labels, _put, _free_bytes)
        self._held = on_device is not None
        if self._held:
            self._images, self._labels = on_device
        self._steps = FIRST_STEPS
        # As in Keras' own fit: metrics, loss and optimizer create their variables outside of any trace.
        image, label = self._test_batches.make(images[:1], self._labels[:1], None)
        with blaming_the_space():
            model._symbolic_build(data_batch=(image, label))
        self._train_steps = _many_steps(model, model.train_step, self._training_batches.make)
        self._test_steps = _many_steps(model, model.test_step, self._test_batches.make)
        self._statistics_step = _statistics_step(model)
        self._predict_step = jax.jit(
            lambda state, images, batch: model.predict_step(state, (_pixels(model, images, batch),))
        )

    def _train_epoch(
        self, order: np.ndarray, batch_size: int, on_step: OnStep, draws: np.ndarray
    ) -> dict[str, float]:
        model = self._model
        model.reset_metrics()
        groups = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        done, logs = 0, {}
        for window in self._windows(order, draws, batch_size):
            first = 0
            while first < window.count:
                steps = min(self._steps, window.count - first)
                start = time.perf_counter()
                logs = floats(_dispatch(self._train_steps, groups, window, first, first + steps))
                self._steps = next_steps(self._steps, steps, time.perf_counter() - start)
                first += steps
                done += steps * window.rows.shape[1]
                on_step(done, loss_of(logs))
        return logs

    def renew_statistics(self, batches: np.ndarray) -> None:
        if self._statistics_step is None:
            return
        trainable, others = self._model.trainable_variables, self._model.non_trainable_variables
        order = batches.reshape(-1)
        before = 0
        for window in self._windows(order, no_draws(order), batches.shape[1]):
            for row in window.rows[: window.count]:
                state = _values((trainable, others))
                _assign(others, self._statistics_step(*state, window.images, row, float(before)))
                before += 1

    def _evaluate(self, indices: np.ndarray) -> tuple[dict[str, float], list[np.ndarray]]:
        model = self._model
        model.reset_metrics()
        groups = (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
        logs: dict[str, Any] = {}
        for window in self._windows(indices, no_draws(indices), self.evaluation_batch):
            logs = _dispatch(self._test_steps, groups, window, 0, window.count)
        return floats(logs), []

    def _predict(self, indices: np.ndarray) -> np.ndarray:
        groups = (self._model.trainable_variables, self._model.non_trainable_variables)
        outputs = []
        for window in self._windows(indices, no_draws(indices), self.evaluation_batch):
            for row in window.rows[: window.count]:
                output, changed = self._predict_step(_values(groups), window.images, row)
                _assign(groups[1], changed)
                outputs.append(np.asarray(output))
        return np.concatenate(outputs)

    def _windows(self, order: np.ndarray, draws: np.ndarray, batch_size: int) -> Iterator[_Window]:
        """Cut an order into windows of whole batches of equal shape, and one for the rest."""
        whole = len(order) // batch_size * batch_size
        if whole:
            yield from self._whole_batches(order[:whole].reshape(-1, batch_size), draws[:whole])
        if whole < len(order):
            yield from self._whole_batches(order[whole:].reshape(1, -1), draws[whole:])

    def _whole_batches(self, batches: np.ndarray, draws: np.ndarray) -> Iterator[_Window]:
        draws = draws.reshape(*batches.shape, draws.shape[1])
        if self._held:
            rows = jnp.asarray(batches, jnp.int32)
            yield _Window(self._images, self._labels, rows, jnp.asarray(draws), len(batches))
            return
        batch_size = batches.shape[1]
        steps = min(len(batches), max(1, WINDOW_BYTES // (self._images[0].nbytes * batch_size)))
        rows = jnp.arange(steps * batch_size, dtype=jnp.int32).reshape(steps, batch_size)
        for first in range(0, len(batches), steps):
            part = batches[first : first + steps]
            flat = np.resize(part, steps * batch_size)
            drawn = np.resize(draws[first : first + steps], (steps, *draws.shape[1:]))
            images, labels = jax.device_put((self._images[flat], self._labels[flat]))
            yield _Window(images, labels, rows, jnp.asarray(drawn), len(part))


def _put(images: np.ndarray, labels: np.ndarray) -> Any:
    return jax.device_put((images, labels.astype(np.int32)))


def _many_steps(model: Any, step: Callable[..., Any], make: Callable[..., Any]) -> Any:
    """Return a function that runs `step` for rows `first` to `last` and returns metrics and new state.

    The old state is donated: the new state takes its memory.
    """

    def run_row(state: Any, images: Any, labels: Any, rows: Any, draws: Any, row: Any) -> Any:
        logs, state = step(state, make(*_batch(images, labels, rows[row]), draws[row]))
        return flat(logs), state

    if loops_cost():
        run_compiled_row = jax.jit(run_row, donate_argnums=0)

        def run_rows(
            state: Any, images: Any, labels: Any, rows: Any, draws: Any, first: int, last: int
        ) -> Any:
            logs = None
            for row in range(first, last):
                logs, state = run_compiled_row(state, images, labels, rows, draws, row)
            return logs, state

        return run_rows

    step = jax.jit(step)  # traced once, although eval_shape needs it too

    # The bounds are arguments, so that any number of steps is one compilation.
    def run_loop(state: Any, images: Any, labels: Any, rows: Any, draws: Any, first: Any, last: Any) -> Any:
        def body(row: Any, carried: Any) -> Any:
            return run_row(carried[1], images, labels, rows, draws, row)

        shapes, _ = jax.eval_shape(run_row, state, images, labels, rows, draws, first)
        no_logs = jax.tree.map(lambda log: jnp.zeros(log.shape, log.dtype), shapes)
        logs, state = jax.lax.fori_loop(first, last, body, (no_logs, state))
        with keras.StatelessScope(list(zip(model.metrics_variables, state[-1], strict=True))):
            metrics = model.get_metrics_result()
        # As in Keras, a user's own step may report other values than the metrics. If it does not, XLA drops
        # the metrics of every step but the last.
        return (metrics if metrics.keys() == logs.keys() else logs), state

    return jax.jit(run_loop, donate_argnums=0)


def _statistics_step(model: Any) -> Any:
    """Return a function that updates the moving statistics to the mean over `before` batches and one more.

    It takes the variables and a batch, and returns the variables that are not trained. None for a model
    without statistics.
    """
    layers = normalizations(model)
    if not layers:
        return None

    def run(trainable: Any, others: Any, images: Any, batch: Any, before: Any) -> Any:
        pixels = _pixels(model, images, batch)
        with averaging(layers, before):
            _, changed = model.stateless_call(trainable, others, pixels, training=True)
        return changed

    return jax.jit(run)


def loops_cost() -> bool:
    """True if a step takes longer inside a compiled loop: by half on the CPU, with jaxlib 0.10."""
    return bool(jax.default_backend() == "cpu")


def _dispatch(loop: Any, groups: tuple[list[Any], ...], window: _Window, first: int, last: int) -> Any:
    """Run rows `first` to `last` of a window, assign the new state to the variables, return the metrics."""
    logs, state = loop(_values(groups), window.images, window.labels, window.rows, window.draws, first, last)
    for variables, values in zip(groups, state, strict=True):
        _assign(variables, values)
    return logs


def _batch(images: Any, labels: Any, indices: Any) -> tuple[Any, Any]:
    return jnp.take(images, indices, axis=0, mode="clip"), jnp.take(labels, indices, axis=0, mode="clip")


def _pixels(model: Any, images: Any, indices: Any) -> Any:
    return scaled(jnp.take(images, indices, axis=0, mode="clip"), pixels_of(model))


def _values(groups: tuple[list[Any], ...]) -> tuple[list[Any], ...]:
    return tuple([variable.value for variable in variables] for variables in groups)


def _assign(variables: list[Any], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _free_bytes() -> int:
    """Return the free memory of the device, or of the host if the device reports none, as the CPU."""
    memory = jax.devices()[0].memory_stats()
    if memory is None:
        return int(psutil.virtual_memory().available)
    return int(memory["bytes_limit"] - memory["bytes_in_use"])
