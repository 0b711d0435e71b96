"""How `tuner evaluate --robustness` shows what corruptions do to a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.table import Table

from tuner.cli.evaluation_view import figures_table, rows_of, short_figure
from tuner.cli.terminal import Text


def robustness_view(found: dict[str, Any]) -> Group:
    """Two tables, accuracy and AUROC: a row for each corruption, its strengths before their figures."""
    about = found["positive_class"]
    area = f"AUROC of {about}" if about else "AUROC, mean of each class against the rest"
    return Group(
        _table("Accuracy under corruption", found, "accuracy"),
        Text(_widest(found), "dim"),
        "",
        _table(f"{area} under corruption", found, "auroc"),
    )


def robustness_figure_rows(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield accuracy and AUROC of each corrupted level as rows of FIGURE_COLUMNS."""
    for corruption in found["corruptions"]:
        for level in corruption["levels"][1:]:
            at = f"{corruption['name']} {level['strength']:g}"
            yield from rows_of(level, ("accuracy",), at=at)
            yield from rows_of(level, ("auroc",), of_class=found["positive_class"], at=at)


def _table(title: str, found: dict[str, Any], figure: str) -> Table:
    corruptions = found["corruptions"]
    most = max(len(corruption["levels"]) for corruption in corruptions)
    strengths = (f"strength {number}" for number in range(1, most))
    table = figures_table("", "none", *strengths, title=title, no_wrap=True)
    for corruption in corruptions:
        untouched, *levels = corruption["levels"]
        cells = (
            Text.assemble((f"{level['strength']:g}: ", "dim"), short_figure(level, figure))
            for level in levels
        )
        table.add_row(corruption["name"], short_figure(untouched, figure), *cells)
    return table


def _widest(found: dict[str, Any]) -> str:
    bounds = [level["accuracy_interval_95"] for c in found["corruptions"] for level in c["levels"]]
    half = max(high - low for low, high in bounds) / 2
    return f"on {found['images']:,} images; 95 % intervals are no wider than ±{half:.1%}"
