"""The spread of test figures over several trainings of one configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuner.units import counted

FIGURES = {
    "accuracy": "accuracy",
    "accuracy_without_seen": "accuracy without copies",
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "eer": "equal error rate",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "ECE",
}
"""Figures of an evaluation, as files and as people call them."""


def epochs_text(trained: Mapping[str, Any]) -> str:
    """Return the number of epochs trained, and the number planned where the time was over before."""
    epochs, planned = trained["epochs"], trained.get("planned_epochs")
    return (
        counted(epochs, "epoch") if planned in (None, epochs) else f"{epochs} of {counted(planned, 'epoch')}"
    )


def main_figures(evaluation: dict[str, Any]) -> dict[str, float | None]:
    """Return the FIGURES of an evaluation; without a positive class, means over the classes.

    What such a split does not have, AUROC of a single class for one, is None.
    """
    unseen = evaluation.get("without_seen", {})
    means = {**evaluation.get("macro", {}), "accuracy_without_seen": unseen.get("accuracy")}
    return {name: evaluation.get(name, means.get(name)) for name in FIGURES}


def spread(figures: Sequence[dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    """Return mean, standard deviation, least and most of each figure that all of them have.

    The deviation is that of a sample, with n - 1 in the denominator; of a single one there is none.
    """
    import pandas as pd

    table = pd.DataFrame(figures, columns=list(FIGURES), dtype=float).dropna(axis="columns")
    found: Any = table.agg(["mean", "std", "min", "max"]).rename({"std": "sd"})
    shown: dict[str, dict[str, float | None]] = found.astype(object).where(found.notna(), None).to_dict()
    return shown
