"""The arguments of a step: images, labels and, with weighted classes, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.training.augmentation import augment, is_augmented
from tuner.training.labels import CLASS_NUMBERS, LabelEncoding
from tuner.training.pixels import RAW, PixelRange, scaled
from tuner.training.recipe import PLAIN, Recipe


@dataclass(frozen=True)
class TrainingBatches:
    """Makes the arguments of steps, plain ones for evaluation. `class_weights` has shape (num_classes,)."""

    recipe: Recipe = PLAIN
    class_weights: np.ndarray | None = None
    labels: LabelEncoding = CLASS_NUMBERS
    pixels: PixelRange = RAW

    def make(self, images: Any, labels: Any, draws: Any) -> tuple[Any, ...]:
        """Return (images, labels) or (images, labels, weights), as the model expects them.

        Args:
            labels: Class numbers (n,).
            draws: Rows of `augmentation.draw` for these images.
        """
        from keras import ops

        if is_augmented(self.recipe):
            images = augment(self.recipe, images, draws)
        images = scaled(images, self.pixels)
        if self.class_weights is None:
            return images, self.labels.encode(labels)
        return images, self.labels.encode(labels), ops.take(self.class_weights, labels)


PLAIN_BATCHES = TrainingBatches()


def no_draws(images: np.ndarray) -> np.ndarray:
    """Return draws without numbers, (n, 0), for n images without augmentation."""
    return np.zeros((images.size, 0), np.float32)
