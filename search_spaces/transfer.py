"""A network trained on ImageNet with a new head, and as much of it fine-tuned as pays."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner as kt
from keras import layers

from search_spaces._backbones import APPLICATIONS, IMAGENET, make_application
from search_spaces._fine_tuning import compiled_with_head, features_of, three_channels
from search_spaces._spec import DataSpec
from search_spaces._training import declare_training

IMAGE_SIZE = 224  # pixels a side, as the networks were trained on
MAX_UPSCALE = 4
MAX_SIDE = 256  # pixels, of images made larger
USUAL_SIDE = 32

PRESETS: dict[str, dict[str, Any]] = {
    # ResNet50 on CIFAKE at its own 32x32 pixels: published precision 0.949, recall 0.892, accuracy 0.922,
    # with this head, flips both ways and early stopping after 3. To train all of it, at a rate that keeps
    # what it learned on ImageNet, is our choice, as are the batches.
    "resnet50_head": {
        "backbone": "resnet50",
        "upscale": 1,
        "pooling": "flatten",
        "fine_tune": 1.0,
        "head": "dense",
        "dropout": 0.5,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "batch_size": 32,
        "patience": 3,
        "horizontal_flip": True,
        "vertical_flip": True,
        "shift": 0.0,
        "jpeg_quality": 100,
        "blur": 0.0,
        "label_smoothing": 0.0,
        "schedule": "constant",
    },
}


def build(hp: kt.HyperParameters, spec: DataSpec) -> keras.Model:
    """Build a compiled image classifier.

    Takes raw pixels 0..255 as (batch, height, width, 1 or 3) and gives probabilities: (batch, 1) of the
    second class for two classes, else (batch, num_classes).

    `weights` is "imagenet", "none", or a Keras weights file (.weights.h5) of the backbone without its top.
    With weights, `fine_tune` is the share of the backbone's layers, from its top, that train; batch
    normalisation stays frozen. Without, there is nothing to keep: everything trains and `fine_tune` has no
    effect. `upscale` makes the image so many times larger, up to 256 pixels a side; an image below the
    backbone's least size counts as that size.

    Raises:
        ValueError: the images have neither 1 nor 3 channels, or the weights cannot be had or do not fit.

    Source: freezing, then fine-tuning from the top: Yosinski et al. 2014, How transferable are features in
    deep neural networks; larger input: Kornblith et al. 2019, Do better ImageNet models transfer better; the
    default backbone is the most accurate on ImageNet of those below 10 million parameters: Tan & Le 2021,
    EfficientNetV2.
    """
    weights = hp.Fixed("weights", IMAGENET)
    backbone = hp.Choice("backbone", list(APPLICATIONS), default="efficientnetv2b0")
    with hp.conditional_scope("backbone", ["mobilenetv2"]):
        alpha = hp.Choice("alpha", [0.35, 1.0], default=1.0)
    upscale = hp.Choice("upscale", _upscales(spec))
    pooling = hp.Choice("pooling", ["average", "flatten"])
    inputs = keras.Input(spec.image_shape)
    images = three_channels(inputs)
    application = APPLICATIONS[backbone]
    sides = _sides(spec, application.min_side, upscale)
    network = make_application(backbone, (*sides, 3), weights, alpha)
    x = features_of(hp, network, images, application.pixels, weights, network.layers)
    x = layers.Flatten()(x) if pooling == "flatten" else layers.GlobalAveragePooling2D()(x)
    return compiled_with_head(hp, inputs, x, spec)


def training(hp: kt.HyperParameters) -> None:
    """Declare how the models are trained: what is pretrained needs few epochs, in small batches."""
    declare_training(hp, batch_size=32, patience=3, shift=0.05, decayed=["adamw", "sgd"])


def _upscales(spec: DataSpec) -> list[int]:
    """How many times larger an image may be seen; once, where twice is too large."""
    side = max(USUAL_SIDE, *spec.image_shape[:2])
    return [times for times in range(1, MAX_UPSCALE + 1) if times == 1 or times * side <= MAX_SIDE]


def _sides(spec: DataSpec, min_side: int, upscale: int) -> tuple[int, int]:
    """Height and width that a backbone sees; both keep their proportion."""
    height, width = spec.image_shape[:2]
    factor = upscale * max(1.0, min_side / min(height, width))
    return round(height * factor), round(width * factor)
