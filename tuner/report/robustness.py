"""What the test figures rest on: images as they are, and data without shortcuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True)
class ShortcutView:
    """Properties that tell classes apart alone, the strongest first, and the others."""

    warned: tuple[dict[str, Any], ...]
    others: tuple[str, ...]
    strongest: dict[str, Any] | None
    """Of the others."""

    @property
    def of_files(self) -> bool:
        """Whether files alone give classes away."""
        return any(each["of"] == "files" for each in self.warned)

    @property
    def of_images(self) -> bool:
        """Whether a plain property of the images does."""
        return any(each["of"] == "images" for each in self.warned)


def robustness_view(found: Mapping[str, Any]) -> RobustnessView:
    """Return what the page says of robustness.

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


def shortcut_view(found: Sequence[dict[str, Any]]) -> ShortcutView:
    """Return what the page says of shortcuts.

    Args:
        found: All that were looked for, the strongest first, as `tuner.data.shortcuts` has them.
    """
    warned = tuple(each for each in found if each["auroc"] >= each["warn_from"])
    others = [each for each in found if each not in warned]
    return ShortcutView(warned, tuple(each["feature"] for each in others), others[0] if others else None)
