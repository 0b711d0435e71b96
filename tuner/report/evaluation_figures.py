"""The test figures of a report: those that head it, and the tables of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A figure as people read it: its value, its 95 % interval if it has one, and what it is of."""

    name: str
    value: str
    interval: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class FigureTable:
    """Rows of a name and a text for each column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Cell:
    """Of a confusion matrix: the count, its share of the true class from 0 to 1, and whether it is right."""

    count: int
    share: float
    right: bool


def headline(evaluation: dict[str, Any]) -> list[Figure]:
    """Return the test figures that matter most; those that an older evaluation lacks are left out."""
    found = [
        Figure(
            "Accuracy",
            percent(evaluation["accuracy"]),
            interval(evaluation.get("accuracy_interval_95"), "{:.2%}"),
            f"{evaluation['images']:,} test images",
        )
    ]
    if unseen := evaluation.get("without_seen"):
        found.append(
            Figure(
                "Accuracy without copies",
                percent(unseen.get("accuracy")),
                interval(unseen.get("accuracy_interval_95"), "{:.2%}"),
                f"{unseen['images']:,} test images; the others are in train or validation too",
            )
        )
    positive, macro = evaluation.get("positive_class"), evaluation.get("macro", {})
    if evaluation.get("auroc") is not None:
        bounds = interval(evaluation.get("auroc_interval_95"), "{:.4f}")
        found.append(Figure("AUROC", number(evaluation["auroc"]), bounds, f"positive class {positive}"))
    elif macro.get("auroc") is not None:
        bounds = interval(macro.get("auroc_interval_95"), "{:.4f}")
        found.append(
            Figure("AUROC", number(macro["auroc"]), bounds, "mean over classes, one against the rest")
        )
    for point in evaluation.get("tpr_at_fpr") or ():
        alarms = point["false_positives"]
        meaning = (
            f"at most {alarms:,} false alarm{'' if alarms == 1 else 's'}" if alarms else "no false alarm"
        )
        found.append(Figure(f"TPR at {100 * point['fpr']:g}% FPR", percent(point["tpr"], 1), "", meaning))
    if evaluation.get("ece") is not None:
        mended = evaluation.get("calibrated")
        meaning = (
            f"{mended['ece']:.4f} at temperature {mended['temperature']:.3g}" if mended else "as trained"
        )
        found.append(Figure("Calibration error", number(evaluation["ece"]), "", meaning))
    return found


def overall_table(evaluation: dict[str, Any]) -> FigureTable | None:
    """Return the figures of all classes together, as trained and with what validation images chose."""
    if "log_loss" not in evaluation:
        return None
    columns, sources = ["as trained"], [evaluation]
    if chosen := evaluation.get("at_threshold"):
        columns.append(f"threshold {chosen['threshold']:.3g}")
        sources.append(chosen)
    if mended := evaluation.get("calibrated"):
        columns.append(f"temperature {mended['temperature']:.3g}")
        sources.append(mended)
    names = {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "average_precision": "average precision",
        "eer": "equal error rate",
        "log_loss": "log loss",
        "brier": "Brier score",
        "ece": "expected calibration error",
    }
    rows = [
        (text, tuple(number(source.get(name)) for source in sources))
        for name, text in names.items()
        if any(source.get(name) is not None for source in sources)
    ]
    return FigureTable(tuple(columns), tuple(rows))


def class_table(evaluation: dict[str, Any]) -> FigureTable:
    """Return precision, recall and F1 of each class; of more than two also AUROC, and the means."""
    columns = ["precision", "recall", "F1"]
    ranked = evaluation.get("one_vs_rest", {})
    several = len(evaluation["classes"]) > 2

    def cells(figures: dict[str, Any], auroc: float | None, images: int) -> tuple[str, ...]:
        shares = [number(figures[name]) for name in ("precision", "recall", "f1")]
        return (*shares, *([number(auroc)] if ranked else []), f"{images:,}")

    rows = [
        (name, cells(figures, ranked.get(name, {}).get("auroc"), figures["images"]))
        for name, figures in evaluation["classes"].items()
    ]
    if several and "macro" in evaluation:
        rows.append(
            ("mean", cells(evaluation["macro"], evaluation["macro"].get("auroc"), evaluation["images"]))
        )
    return FigureTable((*columns, *(["AUROC"] if ranked else []), "images"), tuple(rows))


def confusion_cells(matrix: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """Return the cells of a confusion matrix, rows being true classes."""
    return [
        [Cell(count, count / max(sum(counts), 1), row == column) for column, count in enumerate(counts)]
        for row, counts in enumerate(matrix)
    ]


def percent(share: float | None, digits: int = 2) -> str:
    """Return '95.65%' for 0.9565, and a dash for None."""
    return "–" if share is None else f"{share:.{digits}%}"


def number(value: float | None) -> str:
    """Return four digits behind the point, and a dash for None."""
    return "–" if value is None else f"{value:.4f}"


def interval(bounds: Sequence[float] | None, form: str) -> str:
    """Return both bounds in the form of one, nothing where there are none."""
    return " – ".join(form.format(bound) for bound in bounds) if bounds else ""


def count(value: int | None) -> str:
    """Return a whole number with its thousands separated, nothing for None."""
    return "" if value is None else f"{value:,}"


def duration(seconds: float) -> str:
    """Return '45 s', '12 min' or '3.2 h'."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
