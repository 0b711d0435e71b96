"""Networks trained on ImageNet, without their top: how to make them, their pixels and their weights."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import layers

IMAGENET = "imagenet"
NO_WEIGHTS = "none"


@dataclass(frozen=True)
class Pixels:
    """What a network was trained on: RGB or BGR, each channel times `scale` plus `offset`."""

    scale: float | tuple[float, ...] = 1.0
    offset: float | tuple[float, ...] = 0.0
    bgr: bool = False


MINUS_ONE_TO_ONE = Pixels(1 / 127.5, -1.0)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STANDARDISED = Pixels(
    tuple(1 / (255 * std) for std in _STD), tuple(-mean / std for mean, std in zip(_MEAN, _STD, strict=True))
)
CENTRED_BGR = Pixels(offset=(-103.939, -116.779, -123.68), bgr=True)
RAW = Pixels()  # the network scales them itself


@dataclass(frozen=True)
class Application:
    """A network of `keras.applications`, by the name it has there, and the least side it takes in pixels."""

    function: str
    pixels: Pixels
    min_side: int = 32


APPLICATIONS = {
    "mobilenetv2": Application("MobileNetV2", MINUS_ONE_TO_ONE),
    "resnet50": Application("ResNet50", CENTRED_BGR),
    "resnet50v2": Application("ResNet50V2", MINUS_ONE_TO_ONE),
    "densenet121": Application("DenseNet121", STANDARDISED),
    "efficientnetv2b0": Application("EfficientNetV2B0", RAW),
    "xception": Application("Xception", MINUS_ONE_TO_ONE, min_side=71),
}


def preprocess(images: keras.KerasTensor, pixels: Pixels) -> keras.KerasTensor:
    """Turn raw RGB pixels 0..255 (batch, height, width, 3) into what a network was trained on."""
    x = keras.ops.flip(images, axis=-1) if pixels.bgr else images
    if (pixels.scale, pixels.offset) == (1.0, 0.0):
        return x
    return layers.Rescaling(pixels.scale, offset=pixels.offset)(x)


def make_application(
    name: str, image_shape: tuple[int, int, int], weights: str, alpha: float | None = None
) -> keras.Model:
    """Return a network of `keras.applications`: images to a map of features (batch, rows, columns, n).

    Args:
        weights: "imagenet", "none", or a weights file of this network without its top.
        alpha: Width of MobileNetV2, as a share of the usual one; None for all others.

    Raises:
        ValueError: the weights cannot be fetched or read, or are another network's.
    """
    function = getattr(keras.applications, APPLICATIONS[name].function)
    options: dict[str, Any] = {"include_top": False, "input_shape": image_shape}
    if alpha is not None:
        options["alpha"] = alpha
    if weights != IMAGENET:
        described = name if alpha is None else f"{name} with alpha={alpha}"
        return load_weights(function(weights=None, **options), described, weights)
    try:
        # The progress of a download is not data. MobileNetV2 has files for five sizes of image, and warns
        # when it takes that of 224 pixels for another size.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
            return function(weights=IMAGENET, **options)
    except Exception as error:  # Keras raises no narrower one
        raise ValueError(_not_fetched(name, error)) from error


def load_weights(model: keras.Model, name: str, weights: str) -> keras.Model:
    """Return a network, called so in errors, with the weights of a file; with "none" as it is.

    Raises:
        ValueError: there is no such file, it cannot be read, or it is another network's.
    """
    if weights == NO_WEIGHTS:
        return model
    if not (Path(weights).is_file() and weights.endswith(".h5")):
        raise ValueError(
            f"there is no weights file '{weights}'. Give {IMAGENET}, {NO_WEIGHTS} or a .weights.h5 file."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of layers that the file lacks
            model.load_weights(weights)
    except OSError as error:
        raise ValueError(
            f"the weights file '{weights}' cannot be read: {first_line(error)}. Fetch it again."
        ) from error
    except Exception as error:  # of Keras or the backend; it speaks of layers, not of files
        raise ValueError(
            f"the weights file '{weights}' is not of backbone {name} without its top. "
            "Give a file of this network, or choose the network that it was made of."
        ) from error
    return model


def _not_fetched(name: str, error: Exception) -> str:
    text = first_line(error)
    found = re.search(r"failure on (?P<address>https?://\S+/(?P<file>\S+)): .* -- (?P<reason>.*)", text)
    if found is None:
        return f"no ImageNet weights for {name}: {text}. Try again, or choose weights=none or weights=FILE."
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return (
        f"no ImageNet weights for {name}: {found['reason']}. Fetch {found['address']} and put it at "
        f"{home / 'models' / found['file']}, or choose weights=none or weights=FILE."
    )


def first_line(error: Exception) -> str:
    """Return what an error says first, without the full stop."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(". ")
