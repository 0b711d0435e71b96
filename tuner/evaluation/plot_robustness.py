"""Robustness as curves: a panel for each corruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuner.files import replacing

# Safe for colour-blind readers; the markers differ too.
ACCURACY, AUROC = "#0072b2", "#d55e00"
COLUMNS = 4


def write_robustness_png(path: Path, found: dict[str, Any], title: str) -> None:
    """Draw accuracy and AUROC over the strengths of each corruption, with their 95 % intervals as bands.

    Dotted lines show the untouched images.
    """
    from matplotlib.figure import Figure

    corruptions = found["corruptions"]
    columns = min(COLUMNS, len(corruptions))
    rows = -(-len(corruptions) // columns)
    figure = Figure(figsize=(max(6.0, 2.8 * columns), 2.5 * rows + 0.8), dpi=150, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
    for axes, corruption in zip(panels, corruptions, strict=False):
        levels = corruption["levels"]
        for key, name, colour, marker in (
            ("accuracy", "accuracy", ACCURACY, "o"),
            ("auroc", "AUROC", AUROC, "s"),
        ):
            # Strengths have no common scale and no equal steps: they are placed side by side.
            known = [(x, level) for x, level in enumerate(levels) if level[key] is not None]
            places = [x for x, _ in known]
            values = [level[key] for _, level in known]
            if levels[0][key] is not None:
                axes.axhline(levels[0][key], color=colour, linewidth=0.8, linestyle=":", alpha=0.8)
            axes.plot(places, values, marker=marker, markersize=3.5, color=colour, label=name)
            bounds = [(x, level[f"{key}_interval_95"]) for x, level in known]
            if all(interval for _, interval in bounds):
                lows, highs = ([interval[side] for _, interval in bounds] for side in (0, 1))
                axes.fill_between(places, lows, highs, color=colour, alpha=0.15, linewidth=0)
        axes.set_xticks(
            range(len(levels)), ["none", *(f"{level['strength']:g}" for level in levels[1:])], fontsize=8
        )
        axes.set_title(corruption["name"], fontsize=10)
        axes.set_xlabel(corruption["meaning"], fontsize=7, color="#555555")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(corruptions) :]:
        axes.set_visible(False)
    panels[0].set_ylim(top=1.01)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=10, color="#333333")
    with replacing(path) as draft:
        figure.savefig(draft, format="png")
