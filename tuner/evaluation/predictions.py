"""Predictions on labelled images, and the CSV file from which every figure can be computed again."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuner.data.dataset import Dataset
from tuner.errors import TunerError, UsageError
from tuner.files import replace_text
from tuner.results.tables import csv_text
from tuner.statistics.calibration import predicted_classes

PREFIX = "p."
SEEN = "seen_in_training"
# Probabilities that somebody rounded to three digits still pass.
_SUM_TOLERANCE = 0.005


@dataclass(frozen=True)
class Predictions:
    """What a model says of n images, and what they are.

    Raises:
        TunerError: a probability is not a finite number.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    """True classes, as indices into `class_names`, of shape (n,)."""
    class_names: tuple[str, ...]
    probabilities: np.ndarray
    """Of shape (n, num_classes)."""
    seen: np.ndarray | None = None
    """Whether training saw each image or an exact copy of it, of shape (n,), boolean; None: not known."""

    def __post_init__(self) -> None:
        if broken := int((~np.isfinite(self.probabilities)).any(axis=1).sum()):
            raise TunerError(
                f"the model's output for {broken:,} of {len(self.paths):,} images is no finite number. "
                "Of such a model there is nothing to say. Train it with a lower learning rate."
            )

    @property
    def right(self) -> np.ndarray:
        """Whether the most probable class is the true one, of shape (n,), boolean."""
        return np.asarray(predicted_classes(self.probabilities) == self.labels)


def split_predictions(dataset: Dataset, split: str, probabilities: np.ndarray) -> Predictions:
    """Put probabilities of the images of a split, in its order, together with what these are."""
    indices = dataset.splits[split]
    paths = tuple(dataset.paths[index] for index in indices)
    seen = dataset.seen_in_training(indices) if split == "test" else None
    return Predictions(paths, dataset.labels[indices], dataset.class_names, probabilities, seen)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions.csv: path, label, predicted class, and the probability of each class as p.<name>.

    Where training saw some of the images, a last column says of each whether it did, 1 or 0.
    """
    names, seen = predictions.class_names, predictions.seen
    rows: list[dict[str, str | int | float]] = [
        {
            "path": image,
            "label": names[label],
            "predicted": names[predicted],
            **{PREFIX + name: float(p) for name, p in zip(names, row, strict=True)},
        }
        for image, label, predicted, row in zip(
            predictions.paths,
            predictions.labels,
            predicted_classes(predictions.probabilities),
            predictions.probabilities,
            strict=True,
        )
    ]
    columns = ["path", "label", "predicted", *(PREFIX + name for name in names)]
    if seen is not None and seen.any():
        columns.append(SEEN)
        for row, was_seen in zip(rows, seen, strict=True):
            row[SEEN] = int(was_seen)
    replace_text(path, csv_text(columns, rows))


def read_predictions(path: Path) -> Predictions:
    """Read a file as `write_predictions` writes it; other columns are of no account.

    Raises:
        UsageError: it cannot be read, lacks a column, or a row makes no sense.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            rows = list(reader)
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}. Give a predictions.csv.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"'{path}' is no CSV file in UTF-8 ({error}). Give a predictions.csv.") from None
    names = tuple(column.removeprefix(PREFIX) for column in columns if column.startswith(PREFIX))
    if not {"path", "label"} <= set(columns) or len(names) < 2:
        raise UsageError(
            f"'{path}' has the columns {', '.join(columns) or 'none'}. Needed: path, label, and p.<class> "
            "for two classes or more. Give a file that tuner evaluate --out or a search has written."
        )
    if not rows:
        raise UsageError(f"'{path}' has no rows. Give a file with one for each image.")
    labels = np.empty(len(rows), np.int64)
    probabilities = np.empty((len(rows), len(names)))
    for number, row in enumerate(rows):
        where = f"'{path}', line {number + 2}"
        if row["label"] not in names:
            raise UsageError(f"{where}: label '{row['label']}' is none of the classes {', '.join(names)}.")
        labels[number] = names.index(row["label"])
        probabilities[number] = _row_probabilities([row[PREFIX + name] for name in names], where)
    seen = np.array([row[SEEN] == "1" for row in rows]) if SEEN in columns else None
    return Predictions(tuple(row["path"] for row in rows), labels, names, probabilities, seen)


def _row_probabilities(texts: list[str | None], where: str) -> list[float]:
    try:
        values = [float(text or "") for text in texts]
    except ValueError:
        values = [math.nan]
    if not (all(0 <= value <= 1 for value in values) and abs(sum(values) - 1) <= _SUM_TOLERANCE):
        raise UsageError(
            f"{where}: {', '.join(map(str, texts))} are no probabilities. "
            "Needed: numbers from 0 to 1 that sum to 1, one for each class."
        )
    return values
