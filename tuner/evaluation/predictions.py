"""Predictions on labelled images, and the CSV file from which every figure can be computed again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuner.data.dataset import Dataset
from tuner.errors import TunerError, UsageError
from tuner.results.schema import PREDICTIONS_FILE
from tuner.results.tables import read_table, write_table
from tuner.statistics.calibration import predicted_classes
from tuner.units import listed

PREFIX = "p."
SEEN = "seen_in_training"
GROUP = "group"
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
    groups: tuple[str, ...] | None = None
    """Name of the group of each image, such as its generator, "" for none; None: there are no groups."""

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
    groups = dataset.groups(indices)
    return Predictions(paths, dataset.labels[indices], dataset.class_names, probabilities, seen, groups)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions.csv: path, label, predicted class, and the probability of each class as p.<name>.

    Where the images have groups, a column holds them. Where training saw some of the images, a last column
    says of each whether it did, 1 or 0.
    """
    import pandas as pd

    names = np.array(predictions.class_names, dtype=object)
    frame = pd.DataFrame(
        {
            "path": predictions.paths,
            "label": names[predictions.labels],
            "predicted": names[predicted_classes(predictions.probabilities)],
            **dict(zip(PREFIX + names, predictions.probabilities.astype(float).T, strict=True)),
        }
    )
    if predictions.groups is not None:
        frame[GROUP] = predictions.groups
    if predictions.seen is not None and predictions.seen.any():
        frame[SEEN] = predictions.seen.astype(int)
    write_table(path, frame)


def read_predictions(path: Path) -> Predictions:
    """Read a file as `write_predictions` writes it; other columns are of no account.

    Raises:
        UsageError: it cannot be read, lacks a column, or a row makes no sense.
    """
    rows = read_table(path, f"a {PREDICTIONS_FILE}")
    columns = list(map(str, rows))
    names = [name.removeprefix(PREFIX) for name in columns if name.startswith(PREFIX)]
    if not {"path", "label"} <= set(columns) or len(names) < 2:
        raise UsageError(
            f"'{path}' has the columns {listed(columns) or 'none'}. Needed: path, label, and p.<class> "
            "for two classes or more. Give a file that tuner evaluate --out or a search has written."
        )
    if rows.empty:
        raise UsageError(f"'{path}' has no rows. Give a file with one for each image.")
    texts = rows[[PREFIX + name for name in names]]
    probabilities = texts.map(_number).to_numpy(float)
    known = rows["label"].isin(names)
    valid = ((probabilities >= 0) & (probabilities <= 1)).all(axis=1)
    valid &= np.abs(probabilities.sum(axis=1) - 1) <= _SUM_TOLERANCE
    for line in rows.index[~(known & valid)]:
        if not known[line]:
            raise UsageError(
                f"'{path}', line {line}: label '{rows['label'][line]}' is none of the classes "
                f"{listed(names)}."
            )
        raise UsageError(
            f"'{path}', line {line}: {listed([text or 'None' for text in texts.loc[line]])} are no "
            "probabilities. Needed: numbers from 0 to 1 that sum to 1, one for each class."
        )
    labels = rows["label"].map(names.index).to_numpy(np.int64)
    seen = (rows[SEEN] == "1").to_numpy() if SEEN in columns else None
    groups = tuple(rows[GROUP]) if GROUP in columns else None
    return Predictions(tuple(rows["path"]), labels, tuple(names), probabilities, seen, groups)


def _number(text: str) -> float:
    """The number that a text stands for; NaN where it stands for none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
