"""The choice of a loop for a backend, and the loop of Keras' own functions."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from tuner.training.batches import PLAIN_BATCHES, TrainingBatches, no_draws
from tuner.training.loop_base import Loop, floats
from tuner.training.moving_statistics import averaging, normalizations
from tuner.training.pipeline import OnStep, chunks, loss_of
from tuner.training.pixels import pixels_of, scaled
from tuner.training.task import TrialError


def make_loop(
    model: Any,
    images: np.ndarray,
    labels: np.ndarray,
    xla: bool = False,
    batches: TrainingBatches = PLAIN_BATCHES,
    batch_size: int | None = None,
) -> Loop:
    """Return the fastest loop for the active Keras backend.

    Args:
        xla: On TensorFlow, compile training steps with XLA. JAX always does, PyTorch never.
        batches: Makes the arguments of a training step.
        batch_size: Batch size of the training, if there is one; the evaluation batch shrinks with it.

    Raises:
        TrialError: a step of the user's own is one for another backend, or no labels suit the model.
    """
    import keras

    backend = keras.config.backend()
    _check_steps(model, backend)
    # A model may ask not to be compiled.
    if backend == "tensorflow" and not model.run_eagerly:
        from tuner.training.loop_tensorflow import TensorFlowLoop

        return TensorFlowLoop(model, images, labels, xla, batches, batch_size)
    if backend == "jax" and model.jit_compile and not model.run_eagerly:
        from tuner.training.loop_jax import JaxLoop

        return JaxLoop(model, images, labels, batches, batch_size)
    return KerasLoop(model, images, labels, batches, batch_size)


class KerasLoop(Loop):
    """Works on every backend: Keras' own fit, evaluate and predict over batches of the memory map."""

    def _train_epoch(
        self, order: np.ndarray, batch_size: int, on_step: OnStep, draws: np.ndarray
    ) -> dict[str, float]:
        import keras

        def report(batch: int, logs: dict[str, float]) -> None:
            on_step(min((batch + 1) * batch_size, len(order)), loss_of(logs))

        # `fit` ends by replacing the weights with the averages of `use_ema`; here training continues.
        self._model.optimizer.finalize_variable_values = lambda *_: None
        callback = keras.callbacks.LambdaCallback(on_train_batch_end=report)
        batches = self._keras_batches(order, batch_size, self._training_batches, draws)
        history = self._model.fit(batches, shuffle=False, verbose=0, callbacks=[callback])
        return {name: float(values[-1]) for name, values in history.history.items()}

    def renew_statistics(self, batches: np.ndarray) -> None:
        import keras

        layers = normalizations(self._model)
        for number, batch in enumerate(batches if layers else ()):
            images = scaled(keras.ops.convert_to_tensor(self._images[batch]), pixels_of(self._model))
            with averaging(layers, float(number)), _without_gradients():
                self._model(images, training=True)

    def _evaluate(self, indices: np.ndarray) -> tuple[dict[str, float], list[np.ndarray]]:
        batches = self._keras_batches(indices, self.evaluation_batch, self._test_batches)
        return floats(self._model.evaluate(batches, verbose=0, return_dict=True)), []

    def _predict(self, indices: np.ndarray) -> np.ndarray:
        batches = self._keras_batches(indices, self.evaluation_batch)
        return np.asarray(self._model.predict(batches, verbose=0))

    def _keras_batches(
        self,
        order: np.ndarray,
        batch_size: int,
        made: TrainingBatches | None = None,
        draws: np.ndarray | None = None,
    ) -> Any:
        """Return the batches of an order for Keras; images alone if none are to be `made`."""
        import keras

        images, labels, pixels = self._images, self._labels, pixels_of(self._model)
        drawn = no_draws(order) if draws is None else draws
        rows = [row for part in chunks(np.arange(len(order)), batch_size, len(order)) for row in part]

        class Batches(keras.utils.PyDataset):  # type: ignore[misc]
            def __len__(self) -> int:
                return len(rows)

            def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
                batch = order[rows[index]]
                if made is None:
                    return (keras.ops.convert_to_numpy(scaled(images[batch], pixels)),)
                parts = made.make(images[batch], labels[batch], drawn[rows[index]])
                return tuple(keras.ops.convert_to_numpy(part) for part in parts)

        return Batches()


def _without_gradients() -> AbstractContextManager[Any]:
    """Keep PyTorch, the only backend that does, from storing values for a gradient."""
    import keras

    if keras.config.backend() != "torch":
        return nullcontext()
    import torch

    without: AbstractContextManager[Any] = torch.no_grad()
    return without


def _check_steps(model: Any, backend: str) -> None:
    """Refuse steps of the user's own that take the arguments of another backend."""
    arguments = ("state", "data") if backend == "jax" else ("data",)
    for name in ("train_step", "test_step"):
        try:
            inspect.signature(getattr(model, name)).bind(*arguments)
        except TypeError:
            other = "jax" if backend != "jax" else "tensorflow"
            raise TrialError(
                "build",
                f"the model's own {name} is not one for the backend {backend}. Write "
                f"{name}(self, {', '.join(arguments)}), or set KERAS_BACKEND={other} if it is one for that.",
            ) from None
