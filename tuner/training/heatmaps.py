"""Heatmaps of the parts of images that a model uses, by the method that suits the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.training.attention import attention_rollout
from tuner.training.grad_cam import grad_cam

GRAD_CAM, ATTENTION_ROLLOUT = "Grad-CAM", "attention rollout"


@dataclass(frozen=True)
class Heatmaps:
    """Maps (n, rows, columns) from 0 to 1, and the name of their method."""

    maps: np.ndarray
    method: str


def heatmaps(model: Any, images: np.ndarray, classes: np.ndarray) -> Heatmaps | None:
    """Return a heatmap of each image.

    Attention rollout suits models with attention between patches, Grad-CAM with a class for each image the
    others. None if neither suits the model.

    Args:
        model: A Keras model of images.
        images: Raw pixels of shape (n, height, width, channels).
        classes: Class indices of shape (n,).
    """
    attention = attention_rollout(model, images)
    if attention is not None:
        return Heatmaps(attention, ATTENTION_ROLLOUT)
    gradients = grad_cam(model, images, classes)
    return None if gradients is None else Heatmaps(gradients, GRAD_CAM)
