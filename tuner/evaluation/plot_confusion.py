"""The confusion matrix as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tuner.files import replacing


def write_confusion_png(path: Path, evaluation: dict[str, Any], title: str) -> None:
    """Draw counts and row percentages; the colour is the share of the true class."""
    from matplotlib.figure import Figure

    names = evaluation["class_names"]
    counts = np.array(evaluation["confusion_matrix"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.6 + 0.9 * len(names)
    figure = Figure(figsize=(side + 0.9, side), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        share = shares[row, column]
        colour = "white" if share > 0.55 else "#1a1a1a"
        axes.text(
            column, row, f"{counts[row, column]:,}", ha="center", va="bottom", color=colour, fontsize=13
        )
        axes.text(column, row, f"{share:.1%}", ha="center", va="top", color=colour, fontsize=9)
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) < 6 else 45)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    low, high = evaluation["accuracy_interval_95"]
    accuracy = (
        f"accuracy {evaluation['accuracy']:.2%}  [{low:.2%}, {high:.2%}]  on {evaluation['images']:,} images"
    )
    axes.set_title(f"{title}\n{accuracy}", fontsize=9, color="#333333")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    bar.outline.set_visible(False)
    with replacing(path) as draft:
        figure.savefig(draft, format="png")
