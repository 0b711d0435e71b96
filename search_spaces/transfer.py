"""A network trained on ImageNet with a new head, and as much of it fine-tuned as pays."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner as kt
from keras import layers

from search_spaces._backbones import (
    APPLICATIONS,
    IMAGENET,
    MINUS_ONE_TO_ONE,
    NO_WEIGHTS,
    VIT,
    Pixels,
    backbone_names,
    make_application,
    make_vit,
    preprocess,
    train_all,
    train_top,
)
from search_spaces._head import compiled_classifier
from search_spaces._spec import DataSpec
from search_spaces._training import declare_training

MAX_UPSCALE = 4
MAX_SIDE = 256  # pixels, of images made larger
USUAL_SIDE = 32

PRESETS: dict[str, dict[str, Any]] = {
    # ResNet50 on CIFAKE at its own 32x32 pixels: published precision 0.949, recall 0.892, accuracy 0.922.
    "resnet50_head": {
        "backbone": "resnet50",
        "upscale": 1,
        "pooling": "flatten",
        "head": "dense",
        "dropout": 0.5,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "patience": 3,
        "horizontal_flip": True,
        "vertical_flip": True,
        "shift": 0.0,
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
    backbone's least size counts as that size. With the extra `hub` there is also the backbone vit_b16,
    ViT-B/16 of KerasHub (preset vit_base_patch16_224_imagenet), which sees every image at 224x224 and is read
    at its class token.

    Raises:
        ValueError: the images have neither 1 nor 3 channels, the weights cannot be had or do not fit, or the
            backbone needs an extra.

    Source: the head Dense 256 - BatchNorm - Dense 128 - Dropout 0.5 is that of the ResNet50 published with
    92.2 % test accuracy on CIFAKE; freezing, then fine-tuning from the top: Yosinski et al. 2014, How
    transferable are features in deep neural networks; larger input: Kornblith et al. 2019, Do better ImageNet
    models transfer better; learning rates: Dosovitskiy et al. 2021, appendix B; the default backbone is the
    most accurate on ImageNet of those below 10 million parameters: Tan & Le 2021, EfficientNetV2.
    """
    weights = hp.Fixed("weights", IMAGENET)
    backbone = hp.Choice("backbone", backbone_names(), default="efficientnetv2b0")
    with hp.conditional_scope("backbone", ["mobilenetv2"]):
        alpha = hp.Choice("alpha", [0.35, 1.0], default=1.0)
    with hp.conditional_scope("backbone", list(APPLICATIONS)):
        upscale = hp.Choice("upscale", _upscales(spec))
        pooling = hp.Choice("pooling", ["average", "flatten"])
    # The condition names the weights in use, so that a file counts like ImageNet.
    with hp.conditional_scope("weights", [IMAGENET if weights == NO_WEIGHTS else weights]):
        fine_tune = hp.Choice("fine_tune", [0.0, 0.25, 0.5, 1.0])
    head = hp.Choice("head", ["linear", "dense"])
    dropout = hp.Choice("dropout", [0.2, 0.5])
    optimizer = hp.Choice("optimizer", ["adam", "adamw", "sgd"])
    learning_rate = hp.Choice("learning_rate", [1e-2, 1e-3, 1e-4, 1e-5], default=1e-3)

    inputs = keras.Input(spec.image_shape)
    images = _three_channels(inputs)
    if backbone == VIT:
        network = make_vit(weights)
        tokens = _run(network, images, MINUS_ONE_TO_ONE, weights, fine_tune)
        x = keras.ops.take(tokens, 0, axis=1)
    else:
        application = APPLICATIONS[backbone]
        sides = _sides(spec, application.min_side, upscale)
        network = make_application(backbone, (*sides, 3), weights, alpha)
        x = _run(network, images, application.pixels, weights, fine_tune)
        x = layers.Flatten()(x) if pooling == "flatten" else layers.GlobalAveragePooling2D()(x)
    if head == "dense":
        x = layers.BatchNormalization()(layers.Dense(256, activation="relu")(x))
        x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return compiled_classifier(inputs, x, _optimizer(optimizer, learning_rate), spec)


def training(hp: kt.HyperParameters) -> None:
    """Declare how the models are trained: what is pretrained needs few epochs, in small batches."""
    declare_training(hp, batch_size=32, patience=3, shift=0.05, decayed=["adamw", "sgd"])


def _three_channels(images: keras.KerasTensor) -> keras.KerasTensor:
    """Repeat a grey image as red, green and blue."""
    channels = images.shape[-1]
    if channels == 1:
        return layers.Concatenate()([images, images, images])
    if channels != 3:
        raise ValueError(f"images of {channels} channels fit no backbone. Give images of 1 or 3 channels.")
    return images


def _run(
    network: keras.Model, images: keras.KerasTensor, pixels: Pixels, weights: str, fine_tune: float
) -> keras.KerasTensor:
    """Show a network the images at its own size and scale, with as many of its layers to train as asked."""
    sides = network.input_shape[1:3]
    x = images if images.shape[1:3] == sides else layers.Resizing(*sides)(images)
    x = preprocess(x, pixels)
    if weights == NO_WEIGHTS:
        train_all(network)
        return network(x)
    train_top(network, fine_tune)
    return network(x, training=False)


def _upscales(spec: DataSpec) -> list[int]:
    """How many times larger an image may be seen; once, where twice is too large."""
    side = max(USUAL_SIDE, *spec.image_shape[:2])
    return [times for times in range(1, MAX_UPSCALE + 1) if times == 1 or times * side <= MAX_SIDE]


def _sides(spec: DataSpec, min_side: int, upscale: int) -> tuple[int, int]:
    """Height and width that a backbone sees; both keep their proportion."""
    height, width = spec.image_shape[:2]
    factor = upscale * max(1.0, min_side / min(height, width))
    return round(height * factor), round(width * factor)


def _optimizer(name: str, learning_rate: float) -> keras.Optimizer:
    if name == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=0.9)
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}
    return kinds[name](learning_rate)
