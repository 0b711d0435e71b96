"""The end of every classifier: output layer, loss and metrics that suit the number of classes."""

from __future__ import annotations

import keras
from keras import layers

from search_spaces._spec import DataSpec


def compiled_classifier(
    inputs: keras.KerasTensor, features: keras.KerasTensor, optimizer: keras.Optimizer, spec: DataSpec
) -> keras.Model:
    """Put the output layer on `features` (batch, n) and compile.

    Two classes end in one sigmoid unit, the probability of the second class (batch, 1); more end in a
    softmax (batch, num_classes). Labels are class indices (batch,).
    """
    if spec.num_classes == 2:
        outputs = layers.Dense(1, activation="sigmoid", dtype="float32")(features)
        loss: keras.Loss = keras.losses.BinaryCrossentropy()
    else:
        outputs = layers.Dense(spec.num_classes, activation="softmax", dtype="float32")(features)
        loss = keras.losses.SparseCategoricalCrossentropy()
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model
