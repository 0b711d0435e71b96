"""Residual network from scratch for small images, without early downsampling."""

from __future__ import annotations

import keras
import keras_tuner as kt
from keras import layers

from search_spaces._head import compiled_classifier
from search_spaces._spec import DataSpec
from search_spaces._training import declare_training

GROUPS = 8

PRESETS = {
    # After He et al. 2016, section 4.2: 0.27 M parameters, trained with SGD. Their decay of 1e-4 is part of
    # the gradient, which a momentum of 0.9 multiplies by ten: decoupled, as it is here, that is 1e-3. Their
    # learning rate falls in steps, here along a cosine.
    "resnet20": {
        "width": 16,
        "num_stages": 3,
        "num_blocks": 3,
        "normalization": "batch",
        "activation": "relu",
        "dropout": 0.0,
        "optimizer": "sgd",
        "sgd_learning_rate": 0.1,
        "batch_size": 128,
        "patience": 10,
        "horizontal_flip": True,
        "vertical_flip": False,
        "shift": 0.1,
        "jpeg_quality": 100,
        "blur": 0.0,
        "label_smoothing": 0.0,
        "weight_decay": 1e-3,
        "schedule": "cosine",
    },
}


def build(hp: kt.HyperParameters, spec: DataSpec) -> keras.Model:
    """Build a compiled residual classifier.

    Takes raw pixels 0..255 as (batch, height, width, channels) and gives probabilities: (batch, 1) of the
    second class for two classes, else (batch, num_classes). The first stage works at full resolution: what
    tells generated images from photographs is fine. Each later stage halves the sides and doubles the
    filters. For RGB the default has 0.18 M parameters, the largest net 4.4 M.

    Source: He et al. 2016, Deep residual learning, section 4.2; no downsampling before the first stage:
    Gragnaniello et al. 2021, Are GAN generated images easy to detect?, section 4; last scale of each block
    starts at zero: Goyal et al. 2017, section 5.1.
    """
    width = hp.Choice("width", [16, 24, 32], default=16)
    num_stages = hp.Int("num_stages", 2, 4, default=3)
    num_blocks = hp.Int("num_blocks", 1, 3, default=2)
    normalization = hp.Choice("normalization", ["batch", "group"])
    activation = hp.Choice("activation", ["relu", "silu"])
    inputs = keras.Input(spec.image_shape)
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = layers.Activation(activation)(_normalized(_convolved(x, width, 3), normalization))
    for stage in range(num_stages):
        for block in range(num_blocks):
            downsampled = stage > 0 and block == 0
            x = _block(x, width * 2**stage, 2 if downsampled else 1, normalization, activation)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3]))(x)
    return compiled_classifier(inputs, x, _optimizer(hp), spec)


def training(hp: kt.HyperParameters) -> None:
    """Declare the hyperparameters of the training; by default with flips, shifts and a cosine schedule."""
    declare_training(hp, weight_decay=1e-2)


def _optimizer(hp: kt.HyperParameters) -> keras.Optimizer:
    name = hp.Choice("optimizer", ["adamw", "sgd"])
    with hp.conditional_scope("optimizer", ["adamw"]):
        learning_rate = hp.Choice("learning_rate", [1e-3, 2e-3, 4e-3, 8e-3], default=4e-3)
    with hp.conditional_scope("optimizer", ["sgd"]):
        sgd_learning_rate = hp.Choice("sgd_learning_rate", [0.03, 0.1, 0.3], default=0.1)
    if name == "adamw":
        return keras.optimizers.AdamW(learning_rate)
    return keras.optimizers.SGD(sgd_learning_rate, momentum=0.9, nesterov=True)


def _block(
    x: keras.KerasTensor, filters: int, strides: int, normalization: str, activation: str
) -> keras.KerasTensor:
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = _normalized(_convolved(x, filters, 1, strides), normalization)
    x = _normalized(_convolved(x, filters, 3, strides), normalization)
    x = _convolved(layers.Activation(activation)(x), filters, 3)
    x = _normalized(x, normalization, scale="zeros")
    return layers.Activation(activation)(layers.Add()([shortcut, x]))


def _convolved(x: keras.KerasTensor, filters: int, kernel_size: int, strides: int = 1) -> keras.KerasTensor:
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)


def _normalized(x: keras.KerasTensor, normalization: str, scale: str = "ones") -> keras.KerasTensor:
    if normalization == "batch":
        return layers.BatchNormalization(gamma_initializer=scale)(x)
    return layers.GroupNormalization(GROUPS, gamma_initializer=scale)(x)
