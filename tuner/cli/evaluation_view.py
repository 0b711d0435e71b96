"""The figures of an evaluation, for the terminal and as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuner.statistics.calibration import NOT_CONVERGED
from tuner.statistics.metrics import chosen_before

FIGURE_COLUMNS = ("figure", "class", "at", "value", "low_95", "high_95")


def evaluation_view(evaluation: dict[str, Any], title: str) -> Group:
    """Accuracy and AUROC with their intervals; ranking, calibration, figures per class, confusion matrices.

    Evaluations of older runs lack some; what is not there is not shown.
    """
    low, high = evaluation["accuracy_interval_95"]
    headline = Text.assemble(
        (f"{title}\n", "bold"),
        "accuracy ",
        (f"{evaluation['accuracy']:.2%}", "bold green"),
        f"  [{low:.2%}, {high:.2%}] at 95 %",
    )
    if evaluation.get("auroc") is not None:
        headline.append(f", AUROC {evaluation['auroc']:.4f}")
        if interval := evaluation.get("auroc_interval_95"):
            headline.append(f" [{interval[0]:.4f}, {interval[1]:.4f}]")
    if "positive_class" in evaluation:
        headline.append(f" (positive class {evaluation['positive_class']})")
    headline.append(f", {evaluation['images']:,} images")
    parts: list[RenderableType] = [headline, *_without_seen(evaluation)]
    if "balanced_accuracy" in evaluation:
        parts += ["", _overall_table(evaluation), *_remarks(evaluation)]
    if "one_vs_rest" in evaluation:
        parts += ["", _one_vs_rest_table(evaluation)]
    parts += ["", *_decisions(evaluation)]
    if chosen := evaluation.get("at_threshold"):
        low, high = chosen["accuracy_interval_95"]
        by = "chosen on validation" if chosen["source"] == "validation" else chosen["source"]
        text = (
            f", accuracy {chosen['accuracy']:.2%}  [{low:.2%}, {high:.2%}], "
            f"balanced {chosen['balanced_accuracy']:.2%}"
        )
        line = Text.assemble((f"At a threshold of {chosen['threshold']:.4f}, {by}", "bold"), text)
        parts += ["", line, "", *_decisions(chosen)]
    return Group(*parts)


def _without_seen(evaluation: dict[str, Any]) -> list[Text]:
    """The headline once more, of the images alone that training did not see; nothing where it saw none."""
    if not (found := evaluation.get("without_seen")):
        return []
    seen, total = found["seen"], evaluation["images"]
    text = f"{seen:,} of {total:,} images are copies of images of train or validation; "
    if not found["images"]:
        return [Text(text + "none is left without them", "yellow")]
    low, high = found["accuracy_interval_95"]
    text += f"without them accuracy {found['accuracy']:.2%}  [{low:.2%}, {high:.2%}]"
    if found["auroc"] is not None:
        low, high = found["auroc_interval_95"]
        text += f", AUROC {found['auroc']:.4f} [{low:.4f}, {high:.4f}]"
    return [Text(text, "yellow")]


def figure_rows(evaluation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every figure as a row of FIGURE_COLUMNS: of which class, at which threshold or temperature."""
    ranked = [*evaluation.get("one_vs_rest", {}).items(), ("macro", evaluation["macro"])]
    if "positive_class" in evaluation:
        ranked.insert(0, (evaluation["positive_class"], evaluation))
    for name, figures in ranked:
        yield from rows_of(figures, ("auroc", "average_precision", "eer"), of_class=name)
        for point in figures.get("tpr_at_fpr") or ():
            yield from rows_of(point, ("tpr",), of_class=name, at=f"fpr {point['fpr']:g}")
    probabilistic = ("log_loss", "brier", "ece")
    yield from rows_of(evaluation, probabilistic)
    if mended := evaluation.get("calibrated"):
        yield from rows_of(mended, probabilistic, at=f"temperature {mended['temperature']:g}")
    yield from _decision_rows(evaluation, "0.5" if len(evaluation["class_names"]) == 2 else "highest")
    if chosen := evaluation.get("at_threshold"):
        yield from _decision_rows(chosen, f"{chosen['threshold']:g}")
    yield from rows_of(evaluation.get("without_seen", {}), ("images", "accuracy", "auroc"), at="without seen")
    if found := evaluation.get("comparison"):
        renamed = {
            "other_accuracy": found["accuracy"],
            "other_accuracy_interval_95": found["accuracy_interval_95"],
            "mcnemar_p_value": found["p_value"],
        }
        names = ("other_accuracy", "only_this_right", "only_other_right", "mcnemar_p_value")
        yield from rows_of(found | renamed, names, at=f"against {found['other']}")


def rows_of(
    figures: dict[str, Any], names: tuple[str, ...], of_class: str | None = None, at: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield those of these figures that are there as rows of FIGURE_COLUMNS, with their 95 % intervals."""
    for name in names:
        if figures.get(name) is not None:
            interval = figures.get(f"{name}_interval_95") or (None, None)
            yield dict(zip(FIGURE_COLUMNS, (name, of_class, at, figures[name], *interval), strict=True))


def _decision_rows(figures: dict[str, Any], at: str) -> Iterator[dict[str, Any]]:
    yield from rows_of(figures, ("images", "accuracy", "balanced_accuracy"), at=at)
    for name, values in (*figures["classes"].items(), ("macro", figures["macro"])):
        yield from rows_of(values, ("precision", "recall", "f1"), of_class=name, at=at)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for i, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if i == 0 else "right")
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _ranking_cells(figures: dict[str, Any]) -> list[str]:
    rates = [point["tpr"] for point in figures.get("tpr_at_fpr") or ()] or [None, None]
    return [*(_number(figures.get(name)) for name in ("average_precision", "eer")), *map(_number, rates)]


def _overall_table(evaluation: dict[str, Any]) -> Table:
    """Figures that need no threshold but for balanced accuracy; the probabilities as they are, and mended."""
    ranked = ("average precision", "EER", "TPR at 1% FPR", "at 0.1%") if "eer" in evaluation else ()
    table = _table("", "balanced accuracy", *ranked, "log loss", "Brier", "ECE")
    rows = [("as it is", _number(evaluation["balanced_accuracy"]), evaluation)]
    if mended := evaluation.get("calibrated"):
        rows.append((f"at temperature {mended['temperature']:.3g}", "", mended))
    for name, balanced, figures in rows:
        ranking = (_ranking_cells(figures) if figures is evaluation else [""] * 4) if ranked else []
        table.add_row(
            name, balanced, *ranking, *(_number(figures[key]) for key in ("log_loss", "brier", "ece"))
        )
    return table


def _remarks(evaluation: dict[str, Any]) -> list[Text]:
    """What a figure rests on, where it is less than a reader would think."""
    points = evaluation.get("tpr_at_fpr") or ()
    none = [f"{point['fpr']:.1%}" for point in points if point["false_positives"] == 0]
    remarks = []
    if not chosen_before(evaluation).converged:
        remarks.append(Text(NOT_CONVERGED.capitalize(), "dim"))
    if not none:
        return remarks
    names, row = evaluation["class_names"], evaluation["confusion_matrix"]
    negatives = sum(sum(row[i]) for i, name in enumerate(names) if name != evaluation["positive_class"])
    rates = " and ".join(none)
    text = f"{rates} of {negatives:,} negatives is less than one: TPR with no false positive"
    return [*remarks, Text(text, "dim")]


def _one_vs_rest_table(evaluation: dict[str, Any]) -> Table:
    table = _table("class against the rest", "AUROC", "95 %", "average precision", "EER", "TPR 1%", "0.1%")
    for name, figures in (*evaluation["one_vs_rest"].items(), ("mean", evaluation["macro"])):
        interval = figures.get("auroc_interval_95")
        shown = f"[{interval[0]:.4f}, {interval[1]:.4f}]" if interval else "-"
        table.add_row(Text(name), _number(figures["auroc"]), Text(shown), *_ranking_cells(figures))
    return table


def _decisions(figures: dict[str, Any]) -> list[RenderableType]:
    return [_class_table(figures), "", _confusion_table(figures)]


def _class_table(evaluation: dict[str, Any]) -> Table:
    table = _table("class", "precision", "recall", "F1", "images")
    for name, figures in evaluation["classes"].items():
        shares = (_number(figures[key]) for key in ("precision", "recall", "f1"))
        table.add_row(Text(name), *shares, f"{figures['images']:,}")
    if "macro" in evaluation and len(evaluation["classes"]) > 2:
        shares = (f"{evaluation['macro'][key]:.4f}" for key in ("precision", "recall", "f1"))
        table.add_row("mean", *shares, "")
    return table


def _confusion_table(evaluation: dict[str, Any]) -> Table:
    names = evaluation["class_names"]
    table = _table("true \\ predicted", *names)
    for row, (name, counts) in enumerate(zip(names, evaluation["confusion_matrix"], strict=True)):
        total = max(sum(counts), 1)
        cells = (
            Text(f"{count:,} ({count / total:.1%})", style="green" if column == row else "")
            for column, count in enumerate(counts)
        )
        table.add_row(Text(name), *cells)
    return table
