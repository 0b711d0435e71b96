"""The range of the pixels that a model expects, and models that take raw pixels instead."""

from __future__ import annotations

from typing import Any, Literal

from tuner.training.build import only_loss

PixelRange = Literal["0..255", "0..1", "-1..1"]

RAW: PixelRange = "0..255"
# Factor and offset that lead to a range, as in keras.layers.Rescaling.
_SCALES: dict[PixelRange, tuple[float, float]] = {"0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}


def set_pixels(model: Any, pixels: PixelRange) -> None:
    """Note the range of pixels that a model expects, for its training and its evaluation."""
    model.expected_pixels = pixels


def pixels_of(model: Any) -> PixelRange:
    """Return the range of pixels that a model expects: raw ones, unless another range is noted."""
    found: PixelRange = getattr(model, "expected_pixels", RAW)
    return found


def scaled(images: Any, pixels: PixelRange) -> Any:
    """Return raw pixels in a range: float32 of the same shape, or the images themselves for the raw range."""
    from keras import ops

    if pixels == RAW:
        return images
    scale, offset = _SCALES[pixels]
    return ops.cast(images, "float32") * scale + offset


def with_raw_pixels(model: Any, image_shape: tuple[int, ...]) -> Any:
    """Return a compiled model with the layers of this one that takes raw pixels.

    It begins with a layer that scales them. A model that expects raw pixels is returned as it is.
    """
    import keras

    pixels = pixels_of(model)
    if pixels == RAW:
        return model
    scale, offset = _SCALES[pixels]
    inputs = keras.Input(image_shape)
    images = keras.layers.Rescaling(scale, offset, name="raw_pixels")(inputs)
    # The layers themselves, where there is a graph of them, so that heatmaps and exports find them.
    own_call = type(model).call not in (keras.Sequential.call, type(keras.Model(inputs, images)).call)
    outputs = model(images) if own_call else model.call(images)
    made = keras.Model(inputs, outputs, name=model.name)
    container = model._compile_metrics
    made.compile(
        model.optimizer,
        only_loss(model),
        metrics=container and container._user_metrics,
        weighted_metrics=container and container._user_weighted_metrics,
    )
    return made
