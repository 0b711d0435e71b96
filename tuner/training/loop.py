"""The seam between a trial and its backend: one epoch of training, evaluation, prediction."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np

from tuner.training.batches import PLAIN_BATCHES, TrainingBatches, no_draws
from tuner.training.evaluation_batch import evaluation_batch, with_less_memory
from tuner.training.moving_statistics import averaging, normalizations
from tuner.training.pipeline import OnStep, chunks, loss_of


class Loop(Protocol):
    """Trains and evaluates one compiled model on images (n, height, width, channels) of type uint8."""

    evaluation_batch: int
    """Images that are evaluated at a time; halved where memory runs out."""
    self_contained: bool
    """True where a step, once traced, touches nothing that Keras shares between models."""

    def trace(self) -> None:
        """Do now what can be done before the first step, so that it is not taken for part of it."""

    def train_epoch(
        self, order: np.ndarray, batch_size: int, on_step: OnStep, draws: np.ndarray | None = None
    ) -> dict[str, float]:
        """Train once over the images in this order; return the metrics, averaged over the epoch.

        Args:
            draws: Random numbers for the augmentation of each of them, a row each; None where none is wanted.
        """

    def renew_statistics(self, batches: np.ndarray) -> None:
        """Take the moving statistics of normalization anew, over batches (steps, batch) of images."""

    def evaluate(self, indices: np.ndarray) -> dict[str, float]:
        """Return the metrics on these images."""

    def evaluate_and_predict(self, indices: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """Return what `evaluate` and `predict` do; in one pass where the backend allows it."""

    def predict(self, indices: np.ndarray) -> np.ndarray:
        """Return the model's raw output (len(indices), outputs)."""


def make_loop(
    model: Any,
    images: np.ndarray,
    labels: np.ndarray,
    xla: bool = False,
    batches: TrainingBatches = PLAIN_BATCHES,
    batch_size: int | None = None,
) -> Loop:
    """Return the fastest loop there is for the active Keras backend.

    Args:
        batches: Makes the arguments of a training step.
        batch_size: That of the training, where there is one, with which that of the evaluation shrinks.
        xla: TensorFlow: compile training steps with XLA. JAX always does, PyTorch never.
    """
    import keras

    backend = keras.config.backend()
    # A model that asks not to be compiled gets what it asks for.
    if backend == "tensorflow" and not model.run_eagerly:
        from tuner.training.loop_tensorflow import TensorFlowLoop

        return TensorFlowLoop(model, images, labels, xla, batches, batch_size)
    if backend == "jax" and model.jit_compile and not model.run_eagerly:
        from tuner.training.loop_jax import JaxLoop

        return JaxLoop(model, images, labels, batches, batch_size)
    return KerasLoop(model, images, labels, batches, batch_size)


class KerasLoop:
    """Works on every backend: Keras' own fit, evaluate and predict over batches of the memory map."""

    def __init__(
        self,
        model: Any,
        images: np.ndarray,
        labels: np.ndarray,
        batches: TrainingBatches = PLAIN_BATCHES,
        batch_size: int | None = None,
    ) -> None:
        self._model, self._images, self._labels = model, images, labels
        self.self_contained = False
        self.evaluation_batch = evaluation_batch(model, images.shape[1:], batch_size)
        self._make = batches.make
        self._normalizations = normalizations(model)
        if getattr(model, "optimizer", None) is not None:  # a model that was never compiled has none
            # `fit` ends with the averages of `use_ema` in place of the weights; here the training goes on.
            model.optimizer.finalize_variable_values = lambda *_: None

    def trace(self) -> None:
        pass  # Keras does it with the first batch

    def train_epoch(
        self, order: np.ndarray, batch_size: int, on_step: OnStep, draws: np.ndarray | None = None
    ) -> dict[str, float]:
        import keras

        def report(batch: int, logs: dict[str, float]) -> None:
            on_step(min((batch + 1) * batch_size, len(order)), loss_of(logs))

        callback = keras.callbacks.LambdaCallback(on_train_batch_end=report)
        draws = no_draws(order) if draws is None else draws
        batches = self._batches(order, batch_size, draws)
        history = self._model.fit(batches, shuffle=False, verbose=0, callbacks=[callback])
        return {name: float(values[-1]) for name, values in history.history.items()}

    def renew_statistics(self, batches: np.ndarray) -> None:
        import keras

        for number, batch in enumerate(batches if self._normalizations else ()):
            images = keras.ops.convert_to_tensor(self._images[batch])
            with averaging(self._normalizations, float(number)), _without_gradients():
                self._model(images, training=True)

    def evaluate(self, indices: np.ndarray) -> dict[str, float]:
        logs = with_less_memory(
            self,
            lambda: self._model.evaluate(
                self._batches(indices, self.evaluation_batch), verbose=0, return_dict=True
            ),
        )
        return {name: float(value) for name, value in logs.items()}

    def evaluate_and_predict(self, indices: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        return self.evaluate(indices), self.predict(indices)

    def predict(self, indices: np.ndarray) -> np.ndarray:
        return with_less_memory(
            self,
            lambda: np.asarray(self._model.predict(self._batches(indices, self.evaluation_batch), verbose=0)),
        )

    def _batches(self, order: np.ndarray, batch_size: int, draws: np.ndarray | None = None) -> Any:
        """The batches of an order; made for training where there are `draws`."""
        import keras

        images, labels, make = self._images, self._labels, self._make
        places = [row for part in chunks(np.arange(len(order)), batch_size, len(order)) for row in part]

        class Batches(keras.utils.PyDataset):  # type: ignore[misc]
            def __len__(self) -> int:
                return len(places)

            def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
                batch = order[places[index]]
                if draws is None:
                    return images[batch], labels[batch]
                made = make(images[batch], labels[batch], draws[places[index]])
                return tuple(keras.ops.convert_to_numpy(part) for part in made)

        return Batches()


def _without_gradients() -> AbstractContextManager[Any]:
    """PyTorch alone keeps what a gradient would need unless it is told not to."""
    import keras

    if keras.config.backend() != "torch":
        return nullcontext()
    import torch

    without: AbstractContextManager[Any] = torch.no_grad()
    return without
