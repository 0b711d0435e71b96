"""The robustness of a winner in words and in a table; evaluation/run_robustness.py reads its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.report.evaluation_figures import FigureTable, headline_cells, percent


@dataclass(frozen=True)
class RobustnessView:
    """The robustness of a winner in words and figures; the curves are drawn from the same."""

    images: int
    auroc: str
    """What the AUROC is of."""
    worst: str
    """The strength that costs most accuracy."""
    table: FigureTable


def robustness_view(found: Mapping[str, Any]) -> RobustnessView:
    """Return the texts and the table on robustness.

    Args:
        found: What `tuner.evaluation.robustness.robustness` returns.
    """
    levels = [(each["name"], level) for each in found["corruptions"] for level in each["levels"][1:]]
    untouched = found["corruptions"][0]["levels"][0]
    name, worst = min(levels, key=lambda pair: pair[1]["accuracy"])
    positive = found["positive_class"]
    rows = [("untouched", ("", *headline_cells(untouched)))]
    rows += [(name, (f"{level['strength']:g}", *headline_cells(level))) for name, level in levels]
    return RobustnessView(
        images=found["images"],
        auroc=f"AUROC of {positive}" if positive else "AUROC, mean of each class against the rest",
        worst=f"Most is lost with {name} at {worst['strength']:g}: accuracy {percent(worst['accuracy'], 1)} "
        f"instead of {percent(untouched['accuracy'], 1)}",
        table=FigureTable(("strength", "accuracy", "95 %", "AUROC", "95 %"), tuple(rows)),
    )
