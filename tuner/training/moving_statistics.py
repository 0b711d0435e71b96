"""Statistics of batch normalization that fit the present weights, with any momentum.

Moving statistics start at mean 0 and variance 1. With Keras' momentum of 0.99, much of that is left after
hundreds of steps, and a model that trains well validates at chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

# Share of the images of an epoch for the statistics, and their minimum and maximum number.
SHARE = 1 / 8
MIN_IMAGES = 256
MAX_IMAGES = 1024


def normalizations(model: Any) -> list[Any]:
    """Return the batch normalizations that training updates; frozen ones keep their statistics."""
    import keras

    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def statistics_batches(order: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the batches for the statistics, as rows (steps, batch_size) of the order of an epoch.

    They have the size of training batches; fewer images than that are one batch.

    Source: Wu and Johnson 2021, Rethinking "Batch" in BatchNorm, section 3: averages over the batches of
    1,000 to 10,000 images, computed anew with fixed weights.
    """
    images = min(len(order), int(np.clip(SHARE * len(order), MIN_IMAGES, MAX_IMAGES)))
    steps = min(-(-images // batch_size), len(order) // batch_size)
    return order[: steps * batch_size].reshape(steps, batch_size) if steps else order.reshape(1, -1)


@contextmanager
def averaging(layers: Sequence[Any], before: Any) -> Iterator[None]:
    """Let a pass in training mode set moving statistics to the mean over `before` batches and its own.

    Args:
        before: A number, or a tensor in a traced pass.
    """
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = before / (before + 1)
    try:
        yield
    finally:
        for layer, momentum in zip(layers, kept, strict=True):
            layer.momentum = momentum
