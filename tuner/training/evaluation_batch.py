"""Number of images to evaluate at a time, within a budget of memory."""

from __future__ import annotations

import math
from typing import Any

MAX_EVALUATION_BATCH = 512
BUDGET_MIB = 512
# Copies of the largest map in memory: input and output of a layer, the unfolded input of its kernel, and a
# second branch.
COPIES = 4
# Channels of the assumed largest map, of the size of the image, if the layers do not tell their shapes.
CHANNELS = 64
# Training keeps the maps of all layers for the gradient, evaluation those of one, so more images fit.
MORE_THAN_TRAINING = 4


def evaluation_batch(model: Any, image_shape: tuple[int, ...], batch_size: int | None = None) -> int:
    """Return the number of images to evaluate at a time, from 1 to MAX_EVALUATION_BATCH.

    Args:
        image_shape: (height, width, channels).
        batch_size: Batch size of the training, which fits the memory.
    """
    largest = max(map(_numbers, _maps(model)), default=0) or CHANNELS * math.prod(image_shape[:-1])
    fitting = within_budget(largest)
    return fitting if batch_size is None else min(fitting, MORE_THAN_TRAINING * batch_size)


def within_budget(numbers: int) -> int:
    """Return the number of images that fit the budget if their largest map has `numbers` float32 numbers."""
    return int(max(1, min(MAX_EVALUATION_BATCH, BUDGET_MIB * 2**20 // (4 * COPIES * max(1, numbers)))))


def _maps(model: Any) -> list[Any]:
    """Return the shapes of the outputs of layers, if they are known."""
    found = []
    for layer in model._flatten_layers():
        try:
            outputs = layer.output
        except (AttributeError, ValueError):  # of a layer never called, called twice, or without a graph
            continue
        found += [output.shape for output in (outputs if isinstance(outputs, list | tuple) else [outputs])]
    return found


def _numbers(shape: tuple[int | None, ...]) -> int:
    return math.prod(side or 1 for side in shape[1:])
