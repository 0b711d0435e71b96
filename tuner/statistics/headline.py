"""The figures of an evaluation that go where there is room for two: accuracy and AUROC."""

from __future__ import annotations

from typing import Any


def headline(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return accuracy and AUROC with their 95 % intervals, as evaluation.json names them.

    The AUROC is that of the positive class; without one it is the mean of each class against the rest. It is
    None where all images are of one class.
    """
    ranking = evaluation if "auroc" in evaluation else evaluation.get("macro", {})
    return {
        "accuracy": evaluation["accuracy"],
        "accuracy_interval_95": evaluation["accuracy_interval_95"],
        "auroc": ranking.get("auroc"),
        "auroc_interval_95": ranking.get("auroc_interval_95"),
    }


def headline_row(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the same with each bound in a column of its own: accuracy, accuracy_low_95, ..."""
    row: dict[str, Any] = {}
    for name in ("accuracy", "auroc"):
        low, high = figures[f"{name}_interval_95"] or (None, None)
        row |= {name: figures[name], f"{name}_low_95": low, f"{name}_high_95": high}
    return row
