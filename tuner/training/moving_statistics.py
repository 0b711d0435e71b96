"""Statistics of batch normalization that fit the weights of now, whatever momentum they are kept with.

Moving statistics begin at mean 0 and variance 1, and with Keras' momentum of 0.99 a few hundred steps leave
much of that. A model that trains well then validates at chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

# Of the images of an epoch, the share whose statistics are taken, and the least and the most of them.
SHARE = 1 / 8
MIN_IMAGES = 256
MAX_IMAGES = 1024


def normalizations(model: Any) -> list[Any]:
    """Return the batch normalizations of a model that training updates; frozen ones keep their statistics."""
    import keras

    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def statistics_batches(order: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the batches of an epoch, as (steps, batch_size) of its order, whose statistics are taken.

    All have the size that they have in training; of less than one batch, all images are one.

    Source: Wu and Johnson 2021, Rethinking "Batch" in BatchNorm, section 3: averages over the batches of
    1,000 to 10,000 images, computed anew with fixed weights.
    """
    images = min(len(order), int(np.clip(SHARE * len(order), MIN_IMAGES, MAX_IMAGES)))
    steps = min(-(-images // batch_size), len(order) // batch_size)
    return order[: steps * batch_size].reshape(steps, batch_size) if steps else order.reshape(1, -1)


@contextmanager
def averaging(layers: Sequence[Any], before: Any) -> Iterator[None]:
    """Let a pass in training mode make moving statistics the mean over `before` batches and its own.

    Args:
        before: A number, or a tensor where the pass is traced.
    """
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = before / (before + 1)
    try:
        yield
    finally:
        for layer, momentum in zip(layers, kept, strict=True):
            layer.momentum = momentum
