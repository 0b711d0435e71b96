"""A search space of one's own: any Keras Tuner `build(hp)` works."""

import keras
import keras_tuner as kt


def build(hp: kt.HyperParameters) -> keras.Model:
    """Build a small classifier for two classes. It takes raw pixels 0..255, so it rescales inside."""
    model = keras.Sequential([keras.layers.Rescaling(1 / 255)])
    for _ in range(hp.Int("conv_layers", 1, 2)):
        filters = hp.Int("filters", 16, 64, step=16)
        model.add(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(hp.Int("units", 32, 256, step=32), activation="relu"))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    learning_rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
    model.compile(keras.optimizers.Adam(learning_rate), loss="binary_crossentropy", metrics=["accuracy"])
    return model
