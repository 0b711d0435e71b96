"""The test figures of a report: those that head it, and the tables of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.statistics.confusion import PAIRS_FROM, most_confused, shown_classes
from tuner.statistics.spread import FIGURES


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


def headline_figures(evaluation: dict[str, Any]) -> list[Figure]:
    """Return the test figures that matter most."""
    found = [
        Figure(
            "Accuracy",
            percent(evaluation["accuracy"]),
            interval(evaluation["accuracy_interval_95"], "{:.2%}"),
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
    meaning, ranking = f"positive class {evaluation.get('positive_class')}", evaluation
    if evaluation.get("auroc") is None:
        meaning, ranking = "mean over classes, one against the rest", evaluation["macro"]
    if ranking.get("auroc") is not None:
        bounds = interval(ranking["auroc_interval_95"], "{:.4f}")
        found.append(Figure("AUROC", number(ranking["auroc"]), bounds, meaning))
    for point in evaluation.get("tpr_at_fpr") or ():
        alarms = point["false_positives"]
        meaning = (
            f"at most {alarms:,} false alarm{'' if alarms == 1 else 's'}" if alarms else "no false alarm"
        )
        found.append(Figure(f"TPR at {100 * point['fpr']:g}% FPR", percent(point["tpr"], 1), "", meaning))
    calibrated = evaluation.get("calibrated")
    meaning = (
        f"{calibrated['ece']:.4f} at temperature {calibrated['temperature']:.3g}"
        if calibrated
        else "as trained"
    )
    found.append(Figure("Calibration error", number(evaluation["ece"]), "", meaning))
    return found


def overall_table(evaluation: dict[str, Any]) -> FigureTable:
    """Return the figures of all classes together: as trained, and with the choices made on validation."""
    columns, sources = ["as trained"], [evaluation]
    if chosen := evaluation.get("at_threshold"):
        columns.append(f"threshold {chosen['threshold']:.3g}")
        sources.append(chosen)
    if calibrated := evaluation.get("calibrated"):
        columns.append(f"temperature {calibrated['temperature']:.3g}")
        sources.append(calibrated)
    rows = [
        (text, tuple(number(source.get(name)) for source in sources))
        for name, text in (FIGURES | {"ece": "expected calibration error"}).items()
        if name != "auroc" and evaluation.get(name) is not None
    ]
    return FigureTable(tuple(columns), tuple(rows))


def class_table(evaluation: dict[str, Any]) -> FigureTable:
    """Return precision, recall and F1 of each class; of more than two also AUROC, and the means.

    Of many classes there are those with the least F1.
    """
    names = {"precision": "precision", "recall": "recall", "f1": "F1"}
    shown = [(name, evaluation["classes"][name]) for name in shown_classes(evaluation["classes"])]
    if "one_vs_rest" in evaluation:
        names["auroc"] = "AUROC"
        shown = [(name, figures | evaluation["one_vs_rest"][name]) for name, figures in shown]
    if len(evaluation["classes"]) > 2:
        shown.append(("mean", {**evaluation["macro"], "images": evaluation["images"]}))
    rows = [
        (name, (*(number(figures[key]) for key in names), f"{figures['images']:,}"))
        for name, figures in shown
    ]
    return FigureTable((*names.values(), "images"), tuple(rows))


def pairs_table(evaluation: dict[str, Any]) -> FigureTable | None:
    """Return the pairs of classes that are confused most; None of few classes, or without an error."""
    names = evaluation["class_names"]
    if len(names) < PAIRS_FROM:
        return None
    rows = [
        (pair["true"], (pair["predicted"], f"{pair['images']:,}", percent(pair["share"], 1)))
        for pair in most_confused(evaluation["confusion_matrix"], names)
    ]
    return FigureTable(("taken for", "images", "of the class"), tuple(rows)) if rows else None


def headline_cells(figures: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return accuracy and AUROC, each with its interval behind it, of what `headline` returns."""
    return (
        percent(figures["accuracy"]),
        interval(figures["accuracy_interval_95"], "{:.1%}"),
        number(figures["auroc"]),
        interval(figures["auroc_interval_95"], "{:.3f}"),
    )


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
