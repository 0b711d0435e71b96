"""Networks trained on ImageNet, without their top: how to make them, their pixels and their weights."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import layers

SHORT_MOMENTUM = 0.9
IMAGENET = "imagenet"
NO_WEIGHTS = "none"
VIT = "vit_b16"
VIT_PRESET = "vit_base_patch16_224_imagenet"
# Source: Dosovitskiy et al. 2021, table 1; 16x16 pixels a patch make 196 of an image.
VIT_B16: dict[str, Any] = {
    "image_shape": (224, 224, 3),
    "patch_size": 16,
    "num_layers": 12,
    "num_heads": 12,
    "hidden_dim": 768,
    "mlp_dim": 3072,
}


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


def backbone_names() -> list[str]:
    """Return the networks that can be made here: ViT-B/16 is one where KerasHub is installed."""
    return [*APPLICATIONS, *([VIT] if importlib.util.find_spec("keras_hub") else [])]


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
        return _load(function(weights=None, **options), described, weights)
    try:
        # The progress of a download is not data. MobileNetV2 has files for five sizes of image, and warns
        # when it takes that of 224 pixels for another size.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
            return function(weights=IMAGENET, **options)
    except Exception as error:  # Keras raises no narrower one
        raise ValueError(_not_fetched(name, error)) from error


def make_vit(weights: str) -> keras.Model:
    """Return KerasHub's ViT-B/16: images (batch, 224, 224, 3) to class token and patches (batch, 197, 768).

    Args:
        weights: "imagenet", "none", or a weights file of this network.

    Raises:
        ValueError: KerasHub is not installed, or the weights cannot be fetched or read.
    """
    try:
        models = importlib.import_module("keras_hub").models
    except ImportError as error:
        raise ValueError(f'backbone {VIT} needs KerasHub. Type: pip install "kt-search[hub]"') from error
    if weights != IMAGENET:
        return _load(models.ViTBackbone(**VIT_B16), VIT, weights)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return models.ViTBackbone.from_preset(VIT_PRESET)
    except Exception as error:  # whatever the network library raises
        raise ValueError(
            f"no ImageNet weights for {VIT}: {_first_line(error)}. Fetch model.weights.h5 of "
            f"https://www.kaggle.com/models/keras/vit/keras/{VIT_PRESET} and give it as weights=FILE, "
            "or choose weights=none."
        ) from error


def train_top(backbone: keras.Model, share: float) -> None:
    """Let this share of the layers train, counted from the top; batch normalisation stays as it is.

    Its statistics are those of ImageNet; a small batch of other images would spoil them.

    Source: keras.io, Transfer learning & fine-tuning, "Important notes about BatchNormalization layer".
    """
    parts = [layer for layer in _parts(backbone) if layer.weights]
    first = len(parts) - round(share * len(parts))
    for position, layer in enumerate(parts):
        layer.trainable = position >= first and not isinstance(layer, layers.BatchNormalization)


def train_all(backbone: keras.Model) -> None:
    """Let random weights train, with statistics of batch normalisation that follow within tens of steps.

    Some networks average over thousands of steps, for the length of a training on ImageNet; after a short one
    they would be validated with statistics of the untrained network.
    """
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, SHORT_MOMENTUM)


def _parts(backbone: keras.Model) -> list[keras.Layer]:
    """The layers from the image up; the encoder of a KerasHub transformer is one layer made of blocks."""
    found: list[keras.Layer] = []
    for layer in backbone.layers:
        blocks = getattr(layer, "encoder_layers", None)
        found += [layer] if blocks is None else [*blocks, layer.layer_norm]
    return found


def _load(model: keras.Model, name: str, weights: str) -> keras.Model:
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
            f"the weights file '{weights}' cannot be read: {_first_line(error)}. Fetch it again."
        ) from error
    except Exception as error:  # of Keras or the backend; it speaks of layers, not of files
        raise ValueError(
            f"the weights file '{weights}' is not of backbone {name} without its top. "
            "Give a file of this network, or choose the network that it was made of."
        ) from error
    return model


def _not_fetched(name: str, error: Exception) -> str:
    text = _first_line(error)
    found = re.search(r"failure on (?P<address>https?://\S+/(?P<file>\S+)): .* -- (?P<reason>.*)", text)
    if found is None:
        return f"no ImageNet weights for {name}: {text}. Try again, or choose weights=none or weights=FILE."
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return (
        f"no ImageNet weights for {name}: {found['reason']}. Fetch {found['address']} and put it at "
        f"{home / 'models' / found['file']}, or choose weights=none or weights=FILE."
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(". ")
