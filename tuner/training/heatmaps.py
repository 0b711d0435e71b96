"""What a model looked at, by the method that suits it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner.training import grad_cam as gradients
from tuner.training.attention import attention_rollout

GRAD_CAM, ATTENTION_ROLLOUT = "Grad-CAM", "attention rollout"


class AttentionMaps(np.ndarray):
    """Maps by attention rollout: an array that still says so where it comes out of another process."""


def heatmaps(model: Any, images: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return what a model looked at in each image: maps (n, rows, columns), each from 0 to 1.

    Those of a model that attends between patches are by attention rollout, and AttentionMaps; others are by
    Grad-CAM, for a class each. None of a model that neither suits.

    Args:
        model: A Keras model of images.
        images: Raw pixels of shape (n, height, width, channels).
        classes: Class indices of shape (n,).
    """
    attention = attention_rollout(model, images)
    return gradients.grad_cam(model, images, classes) if attention is None else attention.view(AttentionMaps)


def method(maps: np.ndarray) -> str:
    """Return the name of the method that made maps."""
    return ATTENTION_ROLLOUT if isinstance(maps, AttentionMaps) else GRAD_CAM


grad_cam = heatmaps
"""The name that workers ask for."""
