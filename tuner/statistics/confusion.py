"""The pairs of classes that a model confuses most, and the classes that it knows least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MANY_CLASSES = 20
"""From so many classes on, people read a matrix as a picture without numbers, and tables in part."""
SHOWN = 10
"""Number of pairs, and of so many classes the number of them, that people are shown."""
PAIRS_FROM = 5
"""Of fewer classes the matrix alone shows all pairs at a glance."""


def most_confused(
    matrix: Sequence[Sequence[int]], class_names: Sequence[str], most: int = SHOWN
) -> list[dict[str, Any]]:
    """Return the pairs of true and predicted class with the most images, of equally many the larger share.

    Each has `true`, `predicted`, `images` and `share`, of the images of the true class, 0..1.

    Args:
        matrix: Numbers of images, of shape (num_classes, num_classes), true classes in rows.
        most: Number of pairs at most.
    """
    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = np.nonzero(counts * ~np.eye(len(counts), dtype=bool))
    order = np.lexsort((-shares[rows, columns], -counts[rows, columns]))[:most]
    return [
        {
            "true": class_names[row],
            "predicted": class_names[column],
            "images": int(counts[row, column]),
            "share": float(shares[row, column]),
        }
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True)
    ]


def shown_classes(classes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the classes that a table for people has: of many those with the least F1.

    Classes without images are none of these.
    """
    if len(classes) < MANY_CLASSES:
        return list(classes)
    seen = [name for name, figures in classes.items() if figures["f1"] is not None]
    return sorted(seen, key=lambda name: float(classes[name]["f1"]))[:SHOWN]
