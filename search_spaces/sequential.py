"""One convolution and two dense layers, the reference space (36,000 configurations)."""

from __future__ import annotations

import keras
import keras_tuner as kt
from keras import layers

from search_spaces._head import compiled_classifier
from search_spaces._spec import DataSpec

NUM_DENSE = 2


def build(hp: kt.HyperParameters, spec: DataSpec) -> keras.Model:
    """Build a compiled image classifier.

    Takes raw pixels 0..255 as (batch, height, width, channels) and gives probabilities: (batch, 1) of the
    second class for two classes, else (batch, num_classes). Images must be at least 5 pixels a side.

    Source: the ranges are those of the tuned CNN that reaches 92.97 % test accuracy on CIFAKE. The defaults
    are a small model that trains fast: docs/decisions/0012.
    """
    inputs = keras.Input(spec.image_shape)
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(
        hp.Int("filters", 20, 100, step=20, default=40),
        hp.Int("kernel_size", 2, 4, default=3),
        activation="relu",
    )(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    for i in range(1, NUM_DENSE + 1):
        x = layers.Dense(
            hp.Int(f"units_{i}", 100, 1000, step=100, default=200),
            activation=hp.Choice(f"activation_{i}", ["relu", "tanh"]),
        )(x)
    learning_rate = hp.Choice("learning_rate", [1e-3, 5e-4, 1e-4])
    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    optimizer = optimizers[hp.Choice("optimizer", list(optimizers))](learning_rate)
    return compiled_classifier(inputs, x, optimizer, spec)
