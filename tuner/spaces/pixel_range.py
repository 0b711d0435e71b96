"""The range of the pixels that reach the weights of a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from tuner.training.pixels import RAW as RAW_PIXELS
from tuner.training.pixels import pixels_of

RAW = 16
"""Largest value of pixels that count as scaled."""
LEAST_GAIN = 50
"""Factor by which a model that scales pixels itself makes their differences smaller, at least."""
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


def scaled_twice(model: Any, images: np.ndarray) -> Iterator[str]:
    """Say that a model scales pixels that `--pixels` has scaled before."""
    if pixels_of(model) == RAW_PIXELS:
        return
    for _, values in _first_inputs(model, images):
        if np.ptp(images) > LEAST_GAIN * np.ptp(values.astype(np.float64)):
            yield (
                f"--pixels {pixels_of(model)} and the model both scale the pixels, so almost no contrast is "
                "left. Leave --pixels out."
            )


def layer_of_raw_pixels(model: Any, images: np.ndarray) -> str | None:
    """Return the name of the first layer with weights that runs, if raw pixels reach it.

    Pixels that a normalization takes first are not raw, nor are those with negative values, as of
    `keras.applications`.

    Args:
        images: Of shape (n, height, width, channels), as the model takes them.
    """
    for layer, values in _first_inputs(model, images):
        is_normalization = "norm" in type(layer).__name__.lower()
        if not is_normalization and values.size and values.min() >= 0 and values.max() > RAW:
            return str(layer.name)
    return None


def _first_inputs(model: Any, images: np.ndarray) -> list[tuple[Any, np.ndarray]]:
    """Return the first layer with weights that runs, and its input; nothing if there is none."""
    import keras

    with _stopping_at_weights(model) as found, suppress(Exception):
        # Keras may wrap the error that ends the pass, and an error of the model is told elsewhere.
        model(keras.ops.convert_to_tensor(images), training=False)
    return found


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
