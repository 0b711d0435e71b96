"""Training, evaluation and prediction of one model: the interface of the loops of all backends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from tuner.training.batches import PLAIN_BATCHES, TrainingBatches, no_draws
from tuner.training.build import is_out_of_memory
from tuner.training.evaluation_batch import evaluation_batch
from tuner.training.labels import label_encoding
from tuner.training.pipeline import OnStep
from tuner.training.pixels import pixels_of
from tuner.training.recipe import PLAIN

_Found = TypeVar("_Found")


class Loop(ABC):
    """Trains and evaluates one compiled model on images (n, height, width, channels) of type uint8.

    Args:
        batches: Makes the arguments of a training step.
        batch_size: Batch size of the training, if there is one; the evaluation batch shrinks with it.
    """

    self_contained = False
    """True if a traced step uses nothing that Keras shares between models."""

    def __init__(
        self,
        model: Any,
        images: np.ndarray,
        labels: np.ndarray,
        batches: TrainingBatches = PLAIN_BATCHES,
        batch_size: int | None = None,
    ) -> None:
        self._model, self._images, self._labels, self._batches = model, images, labels, batches
        self.evaluation_batch = evaluation_batch(model, images.shape[1:], batch_size)
        """Number of images to evaluate at a time; halved when memory runs out."""

    @property
    def ended(self) -> bool:
        """True once the training has ended by itself, before the epochs of its task."""
        return False

    @property
    def resumable(self) -> bool:
        """False if a training cannot go on from a checkpoint, so that it has to begin again."""
        return True

    @property
    def batch_size(self) -> int | None:
        """Batch size of the training where it is not that of the task."""
        return None

    @property
    def held_bytes(self) -> int:
        """Memory that the loop holds between epochs, besides the model and what all trials share."""
        return 0

    @cached_property
    def _training_batches(self) -> TrainingBatches:
        """The batches with labels for the loss, which a model that only predicts need not have."""
        encoding = label_encoding(self._model, self._images.shape[1:])
        return replace(self._batches, labels=encoding, pixels=pixels_of(self._model))

    @cached_property
    def _test_batches(self) -> TrainingBatches:
        return replace(self._training_batches, recipe=PLAIN, class_weights=None)

    def trace(self) -> None:  # noqa: B027 - most backends trace with the first batch
        """Trace the steps now, so that the first step takes no longer than others."""

    def train_epoch(
        self, order: np.ndarray, batch_size: int, on_step: OnStep, draws: np.ndarray | None = None
    ) -> dict[str, float]:
        """Train once over the images in this order; return the metrics, averaged over the epoch.

        Args:
            draws: Random numbers for the augmentation, one row an image; None without augmentation.
        """
        return self._train_epoch(order, batch_size, on_step, no_draws(order) if draws is None else draws)

    def evaluate(self, indices: np.ndarray) -> dict[str, float]:
        """Return the metrics on these images."""
        return self._with_less_memory(self._evaluate, indices)[0]

    def evaluate_and_predict(self, indices: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """Return the metrics and the model's raw output, in one pass if the backend allows it."""
        metrics, outputs = self._with_less_memory(self._evaluate, indices)
        # A user's own test step does not tell the outputs of the model.
        return metrics, np.concatenate(outputs) if outputs else self.predict(indices)

    def predict(self, indices: np.ndarray) -> np.ndarray:
        """Return the model's raw output (len(indices), outputs)."""
        return self._with_less_memory(self._predict, indices)

    def _with_less_memory(self, evaluate: Callable[[np.ndarray], _Found], indices: np.ndarray) -> _Found:
        """Run an evaluation; when memory runs out, run it again with half of the batch, down to one image."""
        while True:
            try:
                return evaluate(indices)
            except Exception as error:
                if self.evaluation_batch == 1 or not is_out_of_memory(error):
                    raise
            self.evaluation_batch //= 2

    @abstractmethod
    def renew_statistics(self, batches: np.ndarray) -> None:
        """Compute the moving statistics of normalization again, over batches (steps, batch) of images."""

    @abstractmethod
    def _train_epoch(
        self, order: np.ndarray, batch_size: int, on_step: OnStep, draws: np.ndarray
    ) -> dict[str, float]: ...

    @abstractmethod
    def _evaluate(self, indices: np.ndarray) -> tuple[dict[str, float], list[np.ndarray]]:
        """Return the metrics, and the outputs in parts if the same pass yields them."""

    @abstractmethod
    def _predict(self, indices: np.ndarray) -> np.ndarray: ...


def floats(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics as numbers of Python."""
    return {name: float(value) for name, value in flat(logs).items()}


def flat(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures that a step reports, with those of its dicts among them, as Keras' own fit does.

    Where a step reports the result of each of `self.metrics`, that of the compiled ones is such a dict.
    """
    found: dict[str, Any] = {}
    for name, value in logs.items():
        found |= flat(value) if isinstance(value, Mapping) else {name: value}
    return found
