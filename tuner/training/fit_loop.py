"""Training by a user's own `fit`, with its callbacks, class weights and batches, an epoch at a time."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.training.batches import TrainingBatches
from tuner.training.compute import Precision, use_precision
from tuner.training.fit_call import Fit, call_fit, encode, intercepted, own_batch_size
from tuner.training.loop import KerasLoop
from tuner.training.pipeline import OnStep
from tuner.training.pixels import RAW, PixelRange, pixels_of, scaled
from tuner.training.seeds import derive_seed
from tuner.training.turns import Stopped, Turns

# The order of the images for a fit that does not shuffle them: those of one class would stand together.
_ORDER_SEED = 0
# Copies of images, the last ones, by data set and indices: those of training and of validation.
_copies: list[tuple[np.ndarray, np.ndarray, PixelRange, np.ndarray]] = []
_MAX_COPIES = 2


@dataclass(frozen=True)
class OwnFit:
    """A user's fit with the facts of its trial.

    `epochs` is the number at the end of the last rung; `done` of them are in the checkpoint. `validation` are
    indices of images.
    """

    fit: Fit
    hp: Any
    seed: int
    epochs: int
    done: int
    validation: np.ndarray
    precision: Precision


class TrainingEndedError(Exception):
    """A fit has returned without another epoch."""


class FitLoop(KerasLoop):
    """Calls a user's fit once and lets it train an epoch at a time, since its callbacks keep state.

    The fit has a thread of its own, in which it waits between epochs. It is called again, and its callbacks
    begin anew, when the training images change or the trial goes on in another process.
    """

    def __init__(
        self,
        model: Any,
        images: np.ndarray,
        labels: np.ndarray,
        batches: TrainingBatches,
        batch_size: int,
        own: OwnFit,
    ) -> None:
        super().__init__(model, images, labels, batches, batch_size)
        self._own, self._done = own, own.done
        self._running: _Running | None = None
        self._release: Any = None
        self._order = np.zeros(0, int)

    @property
    def ended(self) -> bool:
        return self._running is not None and self._running.turns.over

    @property
    def resumable(self) -> bool:
        return self._running is None or self._running.by_model

    @property
    def batch_size(self) -> int | None:
        return None if self._running is None else self._running.batch_size

    @property
    def held_bytes(self) -> int:
        bytes_each = 1 if pixels_of(self._model) == RAW else 4
        return bytes_each * self._images[:1].nbytes * len(self._order)

    def _train_epoch(
        self,
        order: np.ndarray,
        batch_size: int,
        on_step: OnStep,
        draws: np.ndarray,  # noqa: ARG002 - a fit augments by itself
    ) -> dict[str, float]:
        order = np.sort(order)
        if self._running is None or not np.array_equal(order, self._order):
            if self._release is not None:
                self._release()
            self._running = self._begin(order, batch_size)
            # The thread knows nothing of this loop, and ends with it.
            self._release = weakref.finalize(self, self._running.turns.stop)
            self._release.atexit = False
            self._order = order
        on_step(0, 0.0)
        metrics = self._running.train_epoch(on_step)
        self._done += 1
        return metrics

    def _begin(self, order: np.ndarray, batch_size: int) -> _Running:
        settings: dict[str, Any] = {
            "validation_data": self._data(self._own.validation),
            "epochs": self._own.epochs,
            "batch_size": batch_size,
            "verbose": 0,
        }
        if self._batches.class_weights is not None:
            settings["class_weight"] = dict(enumerate(map(float, self._batches.class_weights)))
        data = self._data(np.random.default_rng(_ORDER_SEED).permutation(order))
        return _Running(self._model, self._own, data, settings, self._done)

    def _data(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        labels = encode(self._training_batches.labels, self._labels[indices])
        return _rows(self._images, indices, pixels_of(self._model)), labels


class _Running:
    """One call of a fit, in its thread."""

    def __init__(
        self,
        model: Any,
        own: OwnFit,
        data: tuple[np.ndarray, np.ndarray],
        settings: dict[str, Any],
        done: int,
    ) -> None:
        self._model, self._own, self._data, self._settings = model, own, data, settings
        self._epoch = done + 1
        self._to_skip = done
        self._on_step: OnStep | None = None
        self._failure: BaseException | None = None
        self._finished: dict[str, float] | None = None
        self._announced = self._began = False
        self._callback = _callback(self)
        self.by_model = True
        """False if it trains by a loop of its own, which cannot begin at a later epoch."""
        self.batch_size: int | None = None
        self.turns = Turns(self._fit)

    def train_epoch(self, on_step: OnStep) -> dict[str, float]:
        """Let it train its next epoch, and return the metrics.

        Raises:
            TrainingEndedError: it returns without another one.
        """
        self._turn(on_step)
        if self._finished is None:
            raise TrainingEndedError
        self._epoch += 1
        return self._finished

    def _turn(self, on_step: OnStep) -> None:
        self._finished, self._on_step = None, on_step
        try:
            self.turns.resume()
        finally:
            self._on_step = None
            if self._failure is not None:
                raise self._failure

    def _fit(self) -> None:
        own = self._own
        # Whatever happened before, and whichever epoch is the next, it makes the same pipelines.
        self._set_state(derive_seed(own.seed, "fit"))
        with intercepted(self._model, self._model_fit):
            value = call_fit(
                own.fit,
                own.hp,
                self._model,
                self._data,
                {**self._settings, "callbacks": [self._callback]},
                lambda: self._began,
            )
        if self._finished is None and self._epoch == 1:
            # A loop without callbacks: all that it does counts as one epoch.
            self.by_model = False
            self._finished = _figures(getattr(value, "history", value))

    def _model_fit(self, plain: Any, arguments: dict[str, Any]) -> Any:
        """Train by Keras' own fit, with our callback last."""
        self.batch_size = own_batch_size(arguments) or self.batch_size
        arguments.setdefault("verbose", 0)
        callbacks = arguments.get("callbacks") or []
        listed = getattr(callbacks, "callbacks", callbacks)  # a CallbackList has them there
        listed = list(listed) if isinstance(listed, Sequence) else [listed]
        arguments["callbacks"] = [*(each for each in listed if each is not self._callback), self._callback]
        first, last = arguments.get("initial_epoch", 0), arguments.get("epochs", 1)
        skipped = min(self._to_skip, max(0, last - first))
        self._to_skip -= skipped
        self._callback.in_model_fit = True
        try:
            return plain(**{**arguments, "initial_epoch": first + skipped})
        finally:
            self._callback.in_model_fit = False

    def begin_epoch(self) -> None:
        """Pause between two epochs, as a fit announces the next."""
        if self._finished is not None:
            self._pause()
        self._announced = self._began = True
        self._set_state(derive_seed(self._own.seed, "fit", self._epoch))

    def end_step(self, batch: int, steps: int | None, loss: float | None) -> None:
        """Report a training step; end the fit if the trial is to end."""
        self.turns.check()
        if self._on_step is None:
            return
        images = len(self._data[0])
        size = self._settings["batch_size"] if not steps else images / steps
        try:
            self._on_step(min(images, round((batch + 1) * size)), 0.0 if loss is None else loss)
        except BaseException as error:
            self._failure = error
            raise Stopped from None

    def end_epoch(self, logs: Mapping[str, Any] | None, in_model_fit: bool) -> None:
        """Take the metrics of an epoch. A loop that announces no epochs pauses here."""
        self.turns.check()
        self._began = True
        self.by_model = self.by_model and in_model_fit
        self._finished = _figures(logs)
        if not self._announced:
            self._pause()
            self._set_state(derive_seed(self._own.seed, "fit", self._epoch))
        self._announced = False

    def _pause(self) -> None:
        """Wait for the next epoch. The validation of this one uses the metrics of the model too."""
        metrics = self._model.metrics_variables
        values = [np.array(variable.numpy()) for variable in metrics]
        self.turns.pause()
        for variable, value in zip(metrics, values, strict=True):
            variable.assign(value)

    def _set_state(self, seed: int) -> None:
        """Set what Keras keeps for each thread, and what other trials have changed meanwhile."""
        import keras

        use_precision(self._own.precision)
        keras.utils.set_random_seed(seed)


def _callback(running: _Running) -> Any:
    import keras

    class Reports(keras.callbacks.Callback):  # type: ignore[misc]
        in_model_fit = False

        def __deepcopy__(self, memo: Any) -> Any:
            return self  # users copy the callbacks that they are given

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            running.begin_epoch()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            steps, loss = (self.params or {}).get("steps"), (logs or {}).get("loss")
            running.end_step(batch, steps, None if loss is None else float(loss))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            running.end_epoch(logs, self.in_model_fit)

    return Reports()


def _figures(logs: Any) -> dict[str, float]:
    """Return the numbers of a report by name; of a list, the last one."""
    found = {}
    for name, value in logs.items() if isinstance(logs, Mapping) else ():
        try:
            found[str(name)] = float(np.ravel(value)[-1])
        except (TypeError, ValueError, IndexError):
            continue
    return found


def _rows(images: np.ndarray, indices: np.ndarray, pixels: PixelRange) -> np.ndarray:
    """Return these images, copied once for all trials of a process that train on them."""
    import keras

    for known, at, scale, rows in _copies:
        if known is images and np.array_equal(at, indices) and scale == pixels:
            return rows
    rows = np.asarray(keras.ops.convert_to_numpy(scaled(images[indices], pixels)))
    _copies[:] = [*_copies, (images, indices, pixels, rows)][-_MAX_COPIES:]
    return rows
