"""The figures of an evaluation, for the terminal and as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from tuner.cli.terminal import Text
from tuner.results.schema import CONFUSION_TABLE, EVALUATION_FILE
from tuner.statistics.calibration import NOT_CONVERGED
from tuner.statistics.confusion import PAIRS_FROM, most_confused, shown_classes
from tuner.statistics.metrics import chosen_before

FIGURE_COLUMNS = ("figure", "class", "at", "value", "low_95", "high_95")
SHORT = {"accuracy": ".1%", "auroc": ".3f"}
"""Formats of a figure in a table of many."""
_RANKING = ("average_precision", "eer")
_PROBABILISTIC = ("log_loss", "brier", "ece")
_SHARES = ("precision", "recall", "f1")
# A matrix of more classes is wider than a terminal.
_WIDEST_MATRIX = 10
_WHOLE = f"{EVALUATION_FILE}, or tuner evaluate --format csv"
_WHOLE_MATRIX = f"{CONFUSION_TABLE}, beside {EVALUATION_FILE}"


def evaluation_view(evaluation: dict[str, Any], title: str) -> Group:
    """Accuracy, AUROC, ranking, calibration, figures for each class, and the confusion matrices."""
    headline = Text.assemble(
        (f"{title}\n", "bold"),
        "accuracy ",
        (f"{evaluation['accuracy']:.2%}", "bold yellow" if evaluation.get("verdict") else "bold green"),
        f"  {bounds(evaluation, 'accuracy')} at 95 %{_auroc(evaluation)}",
    )
    if "positive_class" in evaluation:
        headline.append(f" (positive class {evaluation['positive_class']})")
    headline.append(f", {evaluation['images']:,} images")
    parts: list[RenderableType] = [headline, *_without_seen(evaluation)]
    if verdict := evaluation.get("verdict"):
        parts.append(Text(verdict, "bold yellow"))
    parts += ["", _overall_table(evaluation), *_remarks(evaluation)]
    if "one_vs_rest" in evaluation:
        parts += ["", _one_vs_rest_table(evaluation)]
    parts += _group_table(evaluation)
    parts += ["", *_decisions(evaluation)]
    if chosen := evaluation.get("at_threshold"):
        by = "chosen on validation" if chosen["source"] == "validation" else chosen["source"]
        text = f", accuracy {accuracy_text(chosen)}, balanced {chosen['balanced_accuracy']:.2%}"
        line = Text.assemble((f"At a threshold of {chosen['threshold']:.4f}, {by}", "bold"), text)
        parts += ["", line, "", *_decisions(chosen)]
    return Group(*parts)


def bounds(figures: dict[str, Any], name: str, form: str = ".2%") -> str:
    """Return the 95 % interval of a figure as text."""
    low, high = figures[f"{name}_interval_95"]
    return f"[{low:{form}}, {high:{form}}]"


def short_figure(figures: dict[str, Any], name: str) -> str:
    """Return a figure named in SHORT as text."""
    return "-" if figures[name] is None else f"{figures[name]:{SHORT[name]}}"


def accuracy_text(figures: dict[str, Any]) -> str:
    """Return the accuracy with its 95 % interval as text."""
    return f"{figures['accuracy']:.2%}  {bounds(figures, 'accuracy')}"


def _auroc(figures: dict[str, Any]) -> str:
    """The AUROC as the end of a sentence; empty where there is none."""
    if figures.get("auroc") is None:
        return ""
    return f", AUROC {figures['auroc']:.4f} {bounds(figures, 'auroc', '.4f')}"


def _without_seen(evaluation: dict[str, Any]) -> list[Text]:
    """The headline of the images that training did not see; nothing where it saw none."""
    if not (found := evaluation.get("without_seen")):
        return []
    text = (
        f"{found['seen']:,} of {evaluation['images']:,} images are copies of images of train or validation; "
    )
    if not found["images"]:
        return [Text(text + "none is left without them", "yellow")]
    return [Text(f"{text}without them accuracy {accuracy_text(found)}{_auroc(found)}", "yellow")]


def figure_rows(evaluation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every figure as a row of FIGURE_COLUMNS: of which class, at which threshold or temperature."""
    ranked = [*evaluation.get("one_vs_rest", {}).items(), ("macro", evaluation["macro"])]
    if "positive_class" in evaluation:
        ranked.insert(0, (evaluation["positive_class"], evaluation))
    for name, figures in ranked:
        yield from rows_of(figures, ("auroc", *_RANKING), of_class=name)
        for point in figures.get("tpr_at_fpr") or ():
            yield from rows_of(point, ("tpr",), of_class=name, at=f"fpr {point['fpr']:g}")
    yield from rows_of(evaluation, _PROBABILISTIC)
    if mended := evaluation.get("calibrated"):
        yield from rows_of(mended, _PROBABILISTIC, at=f"temperature {mended['temperature']:g}")
    yield from _decision_rows(evaluation, "0.5" if len(evaluation["class_names"]) == 2 else "highest")
    if chosen := evaluation.get("at_threshold"):
        yield from _decision_rows(chosen, f"{chosen['threshold']:g}")
    yield from rows_of(evaluation.get("without_seen", {}), ("images", "accuracy", "auroc"), at="without seen")
    for name, figures in evaluation.get("groups", {}).items():
        yield from rows_of(figures, ("images", "accuracy", "auroc"), at=f"group {name}")
    if found := evaluation.get("comparison"):
        other = {f"other_{name}": value for name, value in found.items()}
        names = ("other_accuracy", "only_this_right", "only_other_right", "mcnemar_p_value")
        yield from rows_of(
            other | found | {"mcnemar_p_value": found["p_value"]}, names, at=f"against {found['other']}"
        )


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
        yield from rows_of(values, _SHARES, of_class=name, at=at)


def figures_table(*columns: str, title: str | None = None, **options: Any) -> Table:
    """Return an empty table: names on the left, figures on the right.

    Args:
        options: Arguments of `Table.add_column` for all columns.
    """
    # As text, since names of classes and files are no markup.
    heading = None if title is None else Text(title, "bold")
    table = Table(box=None, pad_edge=False, header_style="dim", title=heading, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if number else "left", **options)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _numbers(figures: dict[str, Any], names: Sequence[str]) -> list[str]:
    return [_number(figures[name]) for name in names]


def _ranking_cells(figures: dict[str, Any]) -> list[str]:
    rates = [point["tpr"] for point in figures["tpr_at_fpr"] or ()] or [None, None]
    return [*_numbers(figures, _RANKING), *map(_number, rates)]


def _group_table(evaluation: dict[str, Any]) -> list[RenderableType]:
    """Accuracy and AUROC of each group; nothing without groups."""
    if not (groups := evaluation.get("groups")):
        return []
    table = figures_table("group", "images", "accuracy", "AUROC")
    for name, figures in groups.items():
        area = figures.get("auroc")
        ranking = "-" if area is None else f"{area:.4f} {bounds(figures, 'auroc', '.4f')}"
        table.add_row(Text(name), f"{figures['images']:,}", accuracy_text(figures), ranking)
    return ["", table]


def _overall_table(evaluation: dict[str, Any]) -> Table:
    """Figures that need no threshold but for balanced accuracy; the probabilities as they are, and mended."""
    ranked = ("average precision", "EER", "TPR at 1% FPR", "at 0.1%") if "eer" in evaluation else ()
    table = figures_table("", "balanced accuracy", *ranked, "log loss", "Brier", "ECE")
    ranking = _ranking_cells(evaluation) if ranked else []
    balanced = _number(evaluation["balanced_accuracy"])
    table.add_row("as it is", balanced, *ranking, *_numbers(evaluation, _PROBABILISTIC))
    if mended := evaluation.get("calibrated"):
        name = f"at temperature {mended['temperature']:.3g}"
        table.add_row(name, "", *("" for _ in ranked), *_numbers(mended, _PROBABILISTIC))
    return table


def _remarks(evaluation: dict[str, Any]) -> list[Text]:
    """What a figure rests on, where it is less than a reader would think."""
    remarks = [] if chosen_before(evaluation).converged else [NOT_CONVERGED.capitalize()]
    points = evaluation.get("tpr_at_fpr") or ()
    if none := [f"{point['fpr']:.1%}" for point in points if point["false_positives"] == 0]:
        positives = evaluation["classes"][evaluation["positive_class"]]["images"]
        negatives = f"{evaluation['images'] - positives:,} negatives"
        remarks.append(f"{' and '.join(none)} of {negatives} is less than one: TPR with no false positive")
    return [Text(remark, "dim") for remark in remarks]


def _one_vs_rest_table(evaluation: dict[str, Any]) -> Table:
    columns = ("AUROC", "95 %", "average precision", "EER", "TPR 1%", "0.1%")
    table = figures_table("class against the rest", *columns)
    found = evaluation["one_vs_rest"]
    shown = ((name, found[name]) for name in shown_classes(evaluation["classes"]))
    for name, figures in (*shown, ("mean", evaluation["macro"])):
        interval = "-" if figures["auroc"] is None else bounds(figures, "auroc", ".4f")
        table.add_row(Text(name), _number(figures["auroc"]), Text(interval), *_ranking_cells(figures))
    return table


def _decisions(figures: dict[str, Any]) -> list[RenderableType]:
    """Figures of each class, the confusion matrix and the pairs in it; of many classes a part of these."""
    names, matrix = figures["class_names"], figures["confusion_matrix"]
    parts: list[RenderableType] = [_class_table(figures)]
    if (shown := len(shown_classes(figures["classes"]))) < len(names):
        text = f"{shown} of {len(names):,} classes, those with the least F1; all: {_WHOLE}"
        parts.append(Text(text, "dim"))
    if len(names) <= _WIDEST_MATRIX:
        parts += ["", _confusion_table(figures)]
    if len(names) >= PAIRS_FROM and (pairs := most_confused(matrix, names)):
        parts += ["", _pairs_table(pairs)]
    if len(names) > _WIDEST_MATRIX:
        parts.append(Text(f"matrix of {len(names):,} classes: {_WHOLE_MATRIX}", "dim"))
    return parts


def _class_table(evaluation: dict[str, Any]) -> Table:
    table = figures_table("class", "precision", "recall", "F1", "images")
    for name in shown_classes(evaluation["classes"]):
        figures = evaluation["classes"][name]
        table.add_row(Text(name), *_numbers(figures, _SHARES), f"{figures['images']:,}")
    if len(evaluation["classes"]) > 2:
        table.add_row("mean", *_numbers(evaluation["macro"], _SHARES), "")
    return table


def _pairs_table(pairs: Sequence[dict[str, Any]]) -> Table:
    table = figures_table("true class", "taken for", "images", "of the class", title="Most confused")
    for pair in pairs:
        share = f"{pair['share']:.1%}"
        table.add_row(Text(pair["true"]), Text(pair["predicted"]), f"{pair['images']:,}", share)
    return table


def _confusion_table(evaluation: dict[str, Any]) -> Table:
    names = evaluation["class_names"]
    table = figures_table("true \\ predicted", *names)
    for row, (name, counts) in enumerate(zip(names, evaluation["confusion_matrix"], strict=True)):
        total = max(sum(counts), 1)
        cells = (
            Text(f"{count:,} ({count / total:.1%})", style="green" if column == row else "")
            for column, count in enumerate(counts)
        )
        table.add_row(Text(name), *cells)
    return table
