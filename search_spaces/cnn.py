"""Plain convolutional network: blocks of convolutions, then dense layers."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner as kt
from keras import layers

from search_spaces._head import compiled_classifier
from search_spaces._spec import DataSpec
from search_spaces._training import declare_training

MAX_BLOCKS = 4
MAX_DENSE = 2

PRESETS: dict[str, dict[str, Any]] = {
    # Three convolutions of stride 2 on images padded by one pixel; no augmentation. Widely used on face sets.
    "three_conv": {
        "num_blocks": 3,
        "convs_per_block": 1,
        "filters_1": 32,
        "filters_2": 64,
        "filters_3": 128,
        "kernel_size": 5,
        "strides": 2,
        "padding": "one",
        "pooling": "max",
        "batch_norm": False,
        "activation": "relu",
        "block_dropout": 0.0,
        "features": "flatten",
        "num_dense": 2,
        "units_1": 500,
        "units_2": 225,
        "dropout": 0.5,
        "optimizer": "sgd",
        "momentum": 0.9,
        "learning_rate": 1e-2,
        "batch_size": 64,
        "patience": 3,
        "horizontal_flip": False,
        "vertical_flip": False,
        "shift": 0.0,
        "jpeg_quality": 100,
        "blur": 0.0,
        "label_smoothing": 0.0,
        "weight_decay": 0.0,
        "schedule": "constant",
    },
}


def build(hp: kt.HyperParameters, spec: DataSpec) -> keras.Model:
    """Build a compiled convolutional classifier.

    Takes raw pixels 0..255 as (batch, height, width, channels) and gives probabilities: (batch, 1) of the
    second class for two classes, else (batch, num_classes). Padding is `same`, or `one` pixel on each side
    whatever the kernel. Pooling is left out where the map would vanish in what follows; where a kernel does
    not fit even so, its padding is `same`.

    Source: Simonyan & Zisserman 2015 for small kernels in blocks; Ioffe & Szegedy 2015 for the place of batch
    normalisation.
    """
    num_blocks = hp.Int("num_blocks", 1, MAX_BLOCKS, default=3)
    convs_per_block = hp.Int("convs_per_block", 1, 2)
    kernel_size = hp.Choice("kernel_size", [3, 5])
    strides = hp.Choice("strides", [1, 2])
    padding = hp.Choice("padding", ["same", "one"])
    pooling = hp.Choice("pooling", ["max", "average", "none"])
    batch_norm = hp.Boolean("batch_norm", default=True)
    activation = hp.Choice("activation", ["relu", "elu", "silu", "tanh"])
    block_dropout = hp.Choice("block_dropout", [0.0, 0.1, 0.2, 0.3])
    inputs = keras.Input(spec.image_shape)
    x = layers.Rescaling(1 / 255)(inputs)
    for block in range(1, MAX_BLOCKS + 1):
        with hp.conditional_scope("num_blocks", list(range(block, MAX_BLOCKS + 1))):
            filters = hp.Choice(f"filters_{block}", [16, 32, 64, 128, 256], default=16 * 2**block)
        if block > num_blocks:
            continue
        for conv in range(convs_per_block):
            # One stride a block: its first convolution halves the map, the others keep it.
            x = _convolved(x, filters, kernel_size, strides if conv == 0 else 1, padding, not batch_norm)
            x = layers.BatchNormalization()(x) if batch_norm else x
            x = layers.Activation(activation)(x)
        remaining = [strides, *[1] * (convs_per_block - 1)] * (num_blocks - block)
        if pooling != "none" and _fit(min(x.shape[1:3]) // 2, remaining, kernel_size, padding):
            pool = layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D
            x = pool(2)(x)
        x = layers.Dropout(block_dropout)(x) if block_dropout else x
    features = hp.Choice("features", ["flatten", "average"], default="average")
    x = layers.Flatten()(x) if features == "flatten" else layers.GlobalAveragePooling2D()(x)
    dropout = hp.Choice("dropout", [0.0, 0.25, 0.5])
    num_dense = hp.Int("num_dense", 0, MAX_DENSE, default=1)
    for i in range(1, MAX_DENSE + 1):
        with hp.conditional_scope("num_dense", list(range(i, MAX_DENSE + 1))):
            units = hp.Int(f"units_{i}", 25, 1000, step=25, default=200)
        if i <= num_dense:
            x = layers.Dense(units, activation=activation)(x)
    x = layers.Dropout(dropout)(x)
    return compiled_classifier(inputs, x, _optimizer(hp), spec)


def training(hp: kt.HyperParameters) -> None:
    """Declare the hyperparameters of the training; by default with flips, shifts and a cosine schedule."""
    declare_training(hp, weight_decay=1e-2, decayed=["adamw", "sgd"])


def _optimizer(hp: kt.HyperParameters) -> keras.Optimizer:
    name = hp.Choice("optimizer", ["adamw", "adam", "sgd"])
    learning_rate = hp.Choice("learning_rate", [1e-1, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4], default=3e-3)
    with hp.conditional_scope("optimizer", ["sgd"]):
        momentum = hp.Choice("momentum", [0.0, 0.9], default=0.9)
    if name == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=momentum)
    return (keras.optimizers.AdamW if name == "adamw" else keras.optimizers.Adam)(learning_rate)


def _fit(side: int, strides: list[int], kernel_size: int, padding: str) -> bool:
    """True where convolutions of these strides leave something of a map of this side."""
    for stride in strides:
        side = -(-side // stride) if padding == "same" else (side + 2 - kernel_size) // stride + 1
    return side >= 1


def _convolved(
    x: keras.KerasTensor, filters: int, kernel_size: int, strides: int, padding: str, use_bias: bool
) -> keras.KerasTensor:
    if padding == "one" and min(x.shape[1:3]) + 2 >= kernel_size:
        x, padding = layers.ZeroPadding2D(1)(x), "valid"
    else:
        padding = "same"
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer="he_uniform",
    )(x)
