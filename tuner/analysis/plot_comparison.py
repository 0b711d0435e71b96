"""Best-so-far curves of runs, one over the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.files import replacing

if TYPE_CHECKING:
    import pandas as pd


def write_best_so_far_png(path: Path, runs: Mapping[str, pd.DataFrame], objective: str) -> None:
    """Draw the best score of each run by trials begun and by seconds spent."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9.5, 3.8 + 0.14 * len(runs)), dpi=150, layout="constrained")
    by_trials, by_seconds = figure.subplots(1, 2, sharey=True)
    colours = colormaps["tab10" if len(runs) <= 10 else "turbo"]
    handles = []
    for number, (name, steps) in enumerate(runs.items()):
        colour = colours(number) if len(runs) <= 10 else colours(number / (len(runs) - 1))
        look = {"color": colour, "linewidth": 1.6, "where": "post"}
        handles += by_trials.step(steps["trials"], steps["score"], label=name, **look)
        by_seconds.step(steps["seconds"], steps["score"], **look)
        # Where a run ended, which is not where its curve is lost behind another.
        for axes, column in ((by_trials, "trials"), (by_seconds, "seconds")):
            axes.plot(steps[column].iloc[-1], steps["score"].iloc[-1], marker="o", markersize=4, color=colour)
    by_trials.set_xlabel("trials begun")
    by_trials.xaxis.set_major_locator(MaxNLocator(integer=True))
    by_trials.set_ylabel(f"best {objective} so far")
    by_seconds.set_xlabel("seconds of the search")
    for axes in (by_trials, by_seconds):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(3, len(runs)), frameon=False, fontsize=8
    )
    with replacing(path) as draft:
        figure.savefig(draft, format="png")
