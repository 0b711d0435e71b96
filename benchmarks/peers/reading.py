"""How the peers read their images."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.peers.task import PeerTask


def read_folder(task: PeerTask) -> tuple[Any, Any]:
    """Return training and validation set, read and decoded anew in each epoch.

    Source: Keras, "Image classification from scratch". Only the size of the images is not the default: the
    default is 256, which would be another model.
    """
    height, width, channels = task.image_shape

    def read(split: str) -> Any:
        return keras.utils.image_dataset_from_directory(
            f"{task.folder}/{split}",
            image_size=(height, width),
            batch_size=task.batch_size,
            color_mode="grayscale" if channels == 1 else "rgb",
            verbose=False,
        ).prefetch(tf.data.AUTOTUNE)

    return read("train"), read("validation")


def read_arrays(task: PeerTask) -> tuple[Any, Any, tuple[Any, Any]]:
    """Return training images, their labels, and the validation set, decoded beforehand and held in memory."""
    with np.load(task.arrays) as data:
        return data["x_train"], data["y_train"], (data["x_validation"], data["y_validation"])
