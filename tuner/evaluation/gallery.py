"""Typical hits and errors of a model, with heatmaps, in a file of the run."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuner.data.dataset import Dataset
from tuner.errors import StorageError
from tuner.evaluation.predictions import Predictions
from tuner.files import replacing
from tuner.statistics.calibration import predicted_classes
from tuner.training.heatmaps import Heatmaps

IMAGES_EACH = 8
MAX_CLASSES = 8

MakeHeatmaps = Callable[[np.ndarray, np.ndarray], Heatmaps | None]
"""Takes indices of images (n,) and class indices (n,), and returns maps (n, rows, columns) from 0 to 1, as
`tuner.training.heatmaps` makes them."""


@dataclass(frozen=True)
class Example:
    """One image of a gallery.

    `pixels` has shape (height, width, channels). `heat` has shape (rows, columns), uint8, and shows the
    predicted class where the method distinguishes classes; None of a model without heatmaps. `confidence` is
    the probability of the predicted class.
    """

    path: str
    label: str
    predicted: str
    confidence: float
    pixels: np.ndarray
    heat: np.ndarray | None

    @property
    def is_error(self) -> bool:
        """Whether the predicted class is another than the true one."""
        return self.label != self.predicted


@dataclass(frozen=True)
class Gallery:
    """Examples by their true class: errors, the most confident first, and typical hits."""

    examples: tuple[Example, ...]
    method: str | None = None
    """Of the heatmaps; None without heatmaps."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes that have examples, in their order."""
        return tuple(dict.fromkeys(example.label for example in self.examples))

    def of(self, label: str, errors: bool) -> list[Example]:
        """Return the errors or the hits of a true class."""
        return [each for each in self.examples if each.label == label and each.is_error is errors]


def choose_examples(predictions: Predictions) -> np.ndarray:
    """Return the positions of the most confident errors and the typical hits of each class.

    Typical hits have the confidence nearest to the median of their class. Of more than MAX_CLASSES classes,
    those with the most errors are shown.
    """
    predicted = predicted_classes(predictions.probabilities)
    confidence = predictions.probabilities[np.arange(len(predicted)), predicted]
    right = predicted == predictions.labels
    errors = np.bincount(predictions.labels[~right], minlength=len(predictions.class_names))
    shown = np.sort(np.argsort(-errors, kind="stable")[:MAX_CLASSES])
    chosen: list[int] = []
    for label in shown.tolist():
        own = predictions.labels == label
        wrong, hits = np.flatnonzero(own & ~right), np.flatnonzero(own & right)
        chosen += wrong[np.argsort(-confidence[wrong], kind="stable")[:IMAGES_EACH]].tolist()
        if len(hits):
            distance = np.abs(confidence[hits] - np.median(confidence[hits]))
            chosen += hits[np.argsort(distance, kind="stable")[:IMAGES_EACH]].tolist()
    return np.array(chosen, dtype=np.int64)


def write_gallery(
    path: Path, dataset: Dataset, split: str, predictions: Predictions, heatmaps: MakeHeatmaps | None = None
) -> None:
    """Write the examples with their pixels; the folder of a run has no other pixels.

    Args:
        predictions: Of all images of the split, in its order.
        heatmaps: Makes heatmaps for indices into `dataset.images`; None: no heatmaps.

    Raises:
        StorageError: the file cannot be written.
    """
    chosen = choose_examples(predictions)
    predicted = predicted_classes(predictions.probabilities)[chosen]
    names = np.array(predictions.class_names, dtype=np.str_)
    indices = dataset.splits[split][chosen]
    arrays: dict[str, np.ndarray] = {
        "paths": np.array([predictions.paths[i] for i in chosen], dtype=np.str_),
        "labels": names[predictions.labels[chosen]],
        "predicted": names[predicted],
        "confidence": predictions.probabilities[chosen, predicted],
        "pixels": dataset.images[indices],
    }
    heat = heatmaps(indices, predicted) if heatmaps is not None and len(chosen) else None
    if heat is not None:
        arrays["heat"] = np.round(np.clip(heat.maps, 0, 1) * 255).astype(np.uint8)
        arrays["method"] = np.array(heat.method)
    with replacing(path) as draft:
        np.savez_compressed(draft, allow_pickle=False, **arrays)


def read_gallery(path: Path) -> Gallery | None:
    """Return the examples of a run, None where it has none.

    Raises:
        StorageError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        names = ("paths", "labels", "predicted", "confidence")
        heat = arrays.get("heat", [None] * len(arrays["paths"]))
        rows = zip(*(arrays[name].tolist() for name in names), arrays["pixels"], heat, strict=True)
        examples = tuple(Example(*row) for row in rows)
        return Gallery(examples, str(arrays["method"]) if "heat" in arrays else None)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StorageError(f"'{path}' is damaged: {error}. Delete it; the report does without.") from None
