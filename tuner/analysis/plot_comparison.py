"""Best-so-far curves of runs, one over the other."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from tuner.analysis.best_so_far import Step
from tuner.files import replacing


def write_best_so_far_png(path: Path, runs: Mapping[str, tuple[Step, ...]], objective: str) -> None:
    """Draw the best score of each run by trials begun and by seconds spent."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9.5, 3.8 + 0.14 * len(runs)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    by_trials, by_seconds = figure.subplots(1, 2, sharey=True)
    colours = colormaps["tab10" if len(runs) <= 10 else "turbo"]
    handles = []
    for number, (name, steps) in enumerate(runs.items()):
        colour = colours(number) if len(runs) <= 10 else colours(number / (len(runs) - 1))
        look = {"color": colour, "linewidth": 1.6, "where": "post"}
        handles += by_trials.step(
            [step.trials for step in steps], [step.score for step in steps], label=name, **look
        )
        by_seconds.step([step.seconds for step in steps], [step.score for step in steps], **look)
        # Where a run ended, which is not where its curve is lost behind another.
        by_trials.plot(steps[-1].trials, steps[-1].score, marker="o", markersize=4, color=colour)
        by_seconds.plot(steps[-1].seconds, steps[-1].score, marker="o", markersize=4, color=colour)
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
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    with replacing(path) as draft:
        draft.write_bytes(buffer.getvalue())
