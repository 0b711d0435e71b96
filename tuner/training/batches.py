"""What a training step gets of each batch: images, labels and, where classes are weighted, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.training.augmentation import augment, draw, is_augmented
from tuner.training.recipe import PLAIN, Recipe


@dataclass(frozen=True)
class TrainingBatches:
    """Turns images and labels of a batch into the arguments of a training step; never used for evaluation.

    `class_weights` (num_classes,) or None.
    """

    recipe: Recipe = PLAIN
    class_weights: np.ndarray | None = None

    def draw(self, count: int, seed: int, epoch: int) -> np.ndarray:
        """Return the random numbers for the images of one epoch, a row each, in the order of training."""
        return draw(self.recipe, count, seed, epoch)

    def make(self, images: Any, labels: Any, draws: Any) -> tuple[Any, ...]:
        """Return (images, labels) or (images, labels, weights) as tensors of the backend.

        Args:
            draws: Rows of `draw` for these images.
        """
        from keras import ops

        if is_augmented(self.recipe):
            images = augment(self.recipe, images, draws)
        if self.class_weights is None:
            return images, labels
        return images, labels, ops.take(self.class_weights, labels)


PLAIN_BATCHES = TrainingBatches()


def no_draws(images: np.ndarray) -> np.ndarray:
    """Return random numbers for as many images that are not augmented: (n, 0)."""
    return np.zeros((images.size, 0), np.float32)
