"""What a search space is told about the data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSpec:
    """Shape of one image as (height, width, channels) and the number of classes (at least 2)."""

    image_shape: tuple[int, int, int]
    num_classes: int
