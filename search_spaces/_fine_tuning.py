"""What goes around a pretrained network: the images it sees, how much of it trains, head and optimizer."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import keras_tuner as kt
from keras import layers

from search_spaces._backbones import IMAGENET, NO_WEIGHTS, Pixels, preprocess
from search_spaces._head import compiled_classifier
from search_spaces._spec import DataSpec


def three_channels(images: keras.KerasTensor) -> keras.KerasTensor:
    """Return images (batch, height, width, 3); a grey one has its channel as red, green and blue.

    Raises:
        ValueError: the images have neither 1 nor 3 channels.
    """
    channels = images.shape[-1]
    if channels == 1:
        return layers.Concatenate()([images, images, images])
    if channels != 3:
        raise ValueError(f"images of {channels} channels fit no backbone. Give images of 1 or 3 channels.")
    return images


def features_of(
    hp: kt.HyperParameters,
    network: keras.Model,
    images: keras.KerasTensor,
    pixels: Pixels,
    weights: str,
    parts: Sequence[keras.Layer],
) -> keras.KerasTensor:
    """Show a network the images at its own size and scale, and let as much of it train as `fine_tune` says.

    Declares `fine_tune`, the share of the parts that train, counted from the top; batch normalisation stays
    frozen. Without weights there is nothing to keep: everything trains, and `fine_tune` has no effect.

    Args:
        images: Raw pixels 0..255 (batch, height, width, 3).
        weights: What the network was made with: "imagenet", "none" or a file.
        parts: The layers of the network, or what counts as such, from the image up.
    """
    # The condition names the weights in use, so that a file counts like ImageNet.
    with hp.conditional_scope("weights", [IMAGENET if weights == NO_WEIGHTS else weights]):
        fine_tune = hp.Choice("fine_tune", [0.0, 0.25, 0.5, 1.0])
    sides = network.input_shape[1:3]
    x = images if images.shape[1:3] == sides else layers.Resizing(*sides)(images)
    x = preprocess(x, pixels)
    if weights == NO_WEIGHTS:
        return network(x)
    _train_top(parts, fine_tune)
    return network(x, training=False)


def compiled_with_head(
    hp: kt.HyperParameters, inputs: keras.KerasTensor, features: keras.KerasTensor, spec: DataSpec
) -> keras.Model:
    """Put a head on `features` (batch, n) and compile: declares `head`, `dropout` and the optimizer.

    Source: the head Dense 256 - BatchNorm - Dense 128 - Dropout 0.5 is that of the ResNet50 published with
    92.2 % test accuracy on CIFAKE; learning rates: Dosovitskiy et al. 2021, appendix B.
    """
    head = hp.Choice("head", ["linear", "dense"])
    x = features
    if head == "dense":
        x = layers.BatchNormalization()(layers.Dense(256, activation="relu")(x))
        x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(hp.Choice("dropout", [0.2, 0.5]))(x)
    return compiled_classifier(inputs, x, _optimizer(hp), spec)


def _train_top(parts: Sequence[keras.Layer], share: float) -> None:
    """Let this share of the layers train, counted from the top; batch normalisation stays as it is.

    Its statistics are those of ImageNet; a small batch of other images would spoil them.

    Source: keras.io, Transfer learning & fine-tuning, "Important notes about BatchNormalization layer".
    """
    weighted = [layer for layer in parts if layer.weights]
    first = len(weighted) - round(share * len(weighted))
    for position, layer in enumerate(weighted):
        layer.trainable = position >= first and not isinstance(layer, layers.BatchNormalization)


def _optimizer(hp: kt.HyperParameters) -> keras.Optimizer:
    name = hp.Choice("optimizer", ["adam", "adamw", "sgd"])
    learning_rate = hp.Choice("learning_rate", [1e-2, 1e-3, 1e-4, 1e-5], default=1e-3)
    if name == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=0.9)
    return (keras.optimizers.AdamW if name == "adamw" else keras.optimizers.Adam)(learning_rate)
