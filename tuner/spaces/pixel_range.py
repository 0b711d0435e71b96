"""The range of the pixels that reach the weights of a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

RAW = 16
"""Largest value of pixels that count as scaled."""
REMEDY = "Begin with keras.layers.Rescaling(1 / 255), or search with --pixels 0..1."


class _FoundError(Exception):
    """Ends a pass through the model at its first layer with weights."""


def unscaled(model: Any, images: np.ndarray) -> Iterator[str]:
    """Say that raw pixels reach the weights of a model, as where they are scaled outside of it."""
    if layer := layer_of_raw_pixels(model, images):
        yield (
            f"the layer '{layer}' gets raw pixels 0..255, with which most models learn little or nothing. "
            f"{REMEDY}"
        )


def layer_of_raw_pixels(model: Any, images: np.ndarray) -> str | None:
    """Return the name of the first layer with weights that runs, if raw pixels reach it.

    Pixels that a normalization takes first are not raw, nor are those with negative values, as of
    `keras.applications`.

    Args:
        images: Of shape (n, height, width, channels), as the model takes them.
    """
    import keras

    with _stopping_at_weights(model) as found:
        try:
            model(keras.ops.convert_to_tensor(images), training=False)
        except Exception:  # Keras may wrap the one that ends the pass
            if not found:
                return None  # the model's own error is told elsewhere
    for layer, values in found:
        is_normalization = "norm" in type(layer).__name__.lower()
        if not is_normalization and values.size and values.min() >= 0 and values.max() > RAW:
            return str(layer.name)
    return None


@contextmanager
def _stopping_at_weights(model: Any) -> Iterator[list[tuple[Any, np.ndarray]]]:
    """Yield a list that gets the first layer with weights in a pass, and its input; the pass ends there."""
    import keras

    found: list[tuple[Any, np.ndarray]] = []
    changed = []

    def watch(layer: Any) -> None:
        plain = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            first = next((each for each in (*args, *kwargs.values()) if hasattr(each, "shape")), None)
            if first is None:
                return plain(*args, **kwargs)
            found.append((layer, np.asarray(keras.ops.convert_to_numpy(first))))
            raise _FoundError

        changed.append((layer, vars(layer).get("call")))
        vars(layer)["call"] = call

    for layer in model._flatten_layers(include_self=False):
        if layer.weights and not any(layer._flatten_layers(include_self=False)):
            watch(layer)
    try:
        yield found
    finally:
        for layer, own in changed:
            if own is None:
                del vars(layer)["call"]
            else:
                vars(layer)["call"] = own
