"""The confusion matrix as a picture and as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tuner.evaluation.plot_names import drawn_names
from tuner.files import replacing
from tuner.results.tables import write_table
from tuner.statistics.confusion import MANY_CLASSES

# In inches, of a matrix of many classes; and the number of its names on each axis at most.
_SIDE = 9.0
_MAX_NAMES = 40
# Of the matrix in that picture, on each side.
_PIXELS = 1000
_COLOURS = "Blues"


def write_confusion_csv(path: Path, evaluation: dict[str, Any]) -> None:
    """Write a row for each true class: its name as `true_class`, and the images predicted as each class."""
    import pandas as pd

    names = evaluation["class_names"]
    counts = pd.DataFrame(evaluation["confusion_matrix"], columns=names, dtype="int64")
    # A class may have any name, this one too.
    counts.insert(0, "true_class", names, allow_duplicates=True)
    write_table(path, counts)


def write_confusion_png(path: Path, evaluation: dict[str, Any], title: str) -> None:
    """Draw the matrix: the colour is the share of the true class.

    In each cell are its count and share. Of many classes there are colours alone, and names of some classes.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    names = evaluation["class_names"]
    counts = np.array(evaluation["confusion_matrix"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    many = len(names) >= MANY_CLASSES
    side = _SIDE if many else 2.6 + 0.9 * len(names)
    with drawn_names(names) as shown:
        figure = Figure(figsize=(side + 0.9, side), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        # A few errors of a class among many are seen too.
        gamma = 0.5 if many else 1.0
        # A blend of cells of more classes than pixels keeps them all.
        axes.imshow(
            _painted(shares.astype(np.float32) ** gamma),
            interpolation="nearest" if len(names) <= _PIXELS else "auto",
        )
        if not many:
            _write_counts(axes, counts, shares)
        places = range(0, len(names), -(-len(names) // _MAX_NAMES))
        labels = [shown(names[place]) for place in places]
        size = 7 if many else 10
        rotation = 90 if many else 0 if len(names) < 6 else 45
        axes.set_xticks(places, labels, rotation=rotation, fontsize=size)
        axes.set_yticks(places, labels, fontsize=size)
        _write_frame(axes, evaluation, title)
        bar = figure.colorbar(ScalarMappable(PowerNorm(gamma, 0, 1), _COLOURS), ax=axes, shrink=0.8)
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        bar.outline.set_visible(False)
        with replacing(path) as draft:
            figure.savefig(draft, format="png")


def _painted(values: np.ndarray) -> np.ndarray:
    """The colour of each value from 0 to 1, of 256. Matplotlib itself would take five times the memory."""
    from matplotlib import colormaps

    table = colormaps[_COLOURS](np.arange(256), bytes=True)
    painted: np.ndarray = table[np.round(255 * values).astype(np.uint8)]
    return painted


def _write_counts(axes: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    for row, column in np.ndindex(*counts.shape):
        share = shares[row, column]
        colour = "white" if share > 0.55 else "#1a1a1a"
        axes.text(
            column, row, f"{counts[row, column]:,}", ha="center", va="bottom", color=colour, fontsize=13
        )
        axes.text(column, row, f"{share:.1%}", ha="center", va="top", color=colour, fontsize=9)


def _write_frame(axes: Any, evaluation: dict[str, Any], title: str) -> None:
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    low, high = evaluation["accuracy_interval_95"]
    accuracy = (
        f"accuracy {evaluation['accuracy']:.2%}  [{low:.2%}, {high:.2%}]  on {evaluation['images']:,} images"
    )
    axes.set_title(f"{title}\n{accuracy}", fontsize=9, color="#333333")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
