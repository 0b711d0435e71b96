"""Accuracy and loss of a trial over its epochs, as a picture."""

from __future__ import annotations

from pathlib import Path

from tuner.files import replacing
from tuner.training.checkpoint import History

TRAINING, VALIDATION = "#8a8a8a", "#1f6fb4"


def write_curves_png(path: Path, history: History, objective: str, best_epoch: int, title: str) -> None:
    """Draw the loss and the objective's metric, in training and validation; a line marks the best epoch."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    metric = objective.removeprefix("val_")
    shown = ["loss", metric]
    if metric == "loss":
        shown = [name for name in ("loss", "accuracy") if name in history[0].metrics]
    figure = Figure(figsize=(4.2 * len(shown), 3.2), dpi=150, layout="constrained")
    epochs = range(1, len(history) + 1)
    for axes, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        for key, label, colour in ((name, "training", TRAINING), (f"val_{name}", "validation", VALIDATION)):
            if all(key in epoch.metrics for epoch in history):
                values = [epoch.metrics[key] for epoch in history]
                axes.plot(epochs, values, marker="o", markersize=3, color=colour, label=label)
        axes.axvline(best_epoch, color="#cccccc", linewidth=1, zorder=0)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=9, color="#333333")
    with replacing(path) as draft:
        figure.savefig(draft, format="png")
