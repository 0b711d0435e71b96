"""`tuner compare`: runs side by side."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tuner.analysis.best_so_far import best_so_far, halvings, score_after
from tuner.analysis.run_comparison import (
    caveats,
    comparison_row,
    comparison_table,
    curve_caveats,
    differences,
)
from tuner.cli.options import DEFAULT_RESULTS_DIR, FormatOption, ResultsDirOption
from tuner.cli.output import fits, format_seconds, make_table, note, show, stdout
from tuner.cli.terminal import Console, Text
from tuner.errors import TunerError, UsageError
from tuner.home_folder import expanded_path
from tuner.results.query import RunView, find_run
from tuner.results.tables import rows_table
from tuner.units import counted

if TYPE_CHECKING:
    import pandas as pd

RUNS = typer.Argument(metavar="RUN", help="Two runs or more: their ids or folders.", show_default=False)
# A reader tells runs apart by their names, which take a few letters a line.
NAME_WIDTH = 14
PADDING = 2
# Half of the way each: the whole, its half, its quarter, ...
CHECKPOINTS = 5
PngOption = Annotated[
    Path | None,
    typer.Option(
        "--png", metavar="FILE", help="Draw the best score so far of each run.", parser=expanded_path
    ),
]

Cells = dict[str, str]


def compare(
    runs: Annotated[list[str], RUNS],
    form: FormatOption = "table",
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
    png: PngOption = None,
) -> None:
    """Put runs side by side: test accuracy with its 95 % interval, size, the time of each step, best so far.

    The winner of each run is tested against that of the first, on the test images that both have seen.
    """
    views = _views(runs, results_dir)
    names = [view.run_id for view in views]
    if len(set(names)) < len(names):
        names = [str(view.path) for view in views]
    tested = differences(views, names)
    objectives = sorted({view.facts["objective"] for view in views})
    steps = dict(zip(names, map(best_so_far, views), strict=True))
    curves = {name: each for name, each in steps.items() if len(objectives) == 1 and not each.empty}
    if png is not None and not curves:
        reason = "none of the runs has a score yet"
        if len(objectives) > 1:
            reason = f"the runs have different objectives, {', '.join(objectives)}"
        raise TunerError(f"nothing to draw in '{png}': {reason}. Name others.")
    if form == "table":
        console = stdout()
        cells = (_cells(comparison_row(view)) for view in views)
        _print(dict(zip(names, cells, strict=True)), console)
        if curves:
            console.print()
            console.print(_best_so_far(curves, objectives[0], console))
        console.print()
        for each in tested:
            console.print(Text(f"{each.sentence}."))
    else:
        show(comparison_table(views, tested), form)
    drawn = [view for name, view in zip(names, views, strict=True) if name in curves]
    shown = drawn and (form == "table" or png is not None)
    for caveat in [*caveats(views), *(curve_caveats(drawn) if shown else [])]:
        note(f"Note: {caveat}.")
    if shown and len(drawn) < len(views):
        missing = ", ".join(name for name in names if name not in curves)
        note(f"Note: without a curve, as no epoch is over: {missing}.")
    if png is not None:
        from tuner.analysis.plot_comparison import write_best_so_far_png

        write_best_so_far_png(png, curves, objectives[0])
        note(f"Picture    {png}")


def _best_so_far(curves: dict[str, pd.DataFrame], objective: str, console: Console) -> Table:
    """The best score of each run at as many points of its way as there is room for."""
    tables = (_progress_table(curves, objective, count) for count in range(CHECKPOINTS, 2, -1))
    narrowest = _progress_table(curves, objective, 2)
    return next((table for table in tables if fits(table, console)), narrowest)


def _progress_table(curves: dict[str, pd.DataFrame], objective: str, count: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, PADDING, 0, 0), header_style="dim")
    table.add_column(f"best {objective} after", overflow="fold")
    ends = {name: steps.iloc[-1] for name, steps in curves.items()}
    most, longest = (max(end[column] for end in ends.values()) for column in ("trials", "seconds"))
    trials = sorted({math.ceil(number) for number in halvings(most, count)})
    seconds = halvings(longest, count)
    headings = [counted(trials[0], "trial"), *map(str, trials[1:])]
    for heading in [*headings, *map(format_seconds, seconds)]:
        table.add_column(heading, justify="right")
    for name, steps in curves.items():
        by_trials = [_score(score_after(steps, trials=n), n > ends[name]["trials"]) for n in trials]
        by_seconds = [_score(score_after(steps, seconds=s), s > ends[name]["seconds"]) for s in seconds]
        table.add_row(name, *by_trials, *by_seconds)
    return table


def _score(score: float | None, ended: bool) -> Text:
    """A score so far; dim where the run had ended before."""
    return Text("-" if score is None else f"{score:.4f}", "dim" if ended else "")


def _views(references: Sequence[str], results_dir: Path) -> list[RunView]:
    """The runs, in the order in which they are named.

    Raises:
        UsageError: there are fewer than two, one is named twice, or there is no such run.
    """
    views: list[RunView] = []
    for reference in references:
        view = find_run(reference, results_dir, note)
        if any(view.path.resolve() == other.path.resolve() for other in views):
            raise UsageError(f"run '{reference}' is named twice. Name each run once.")
        views.append(view)
    if len(views) < 2:
        raise UsageError(
            f"run '{references[0]}' alone is nothing to compare. Name two runs or more. "
            "List them with: tuner runs"
        )
    return views


def _cells(row: dict[str, Any]) -> Cells:
    """What a person compares of a run; JSON and CSV have every column, and exact."""

    def text(form: str, *columns: str) -> str:
        values = [row[column] for column in columns]
        return "-" if None in values else form.format(*values)

    return {
        "space": text("{}", "space"),
        "data": text("{}", "dataset"),
        "status": text("{}", "status"),
        "trials": text("{:,}", "trials"),
        "best trial": text("{}", "trial_id"),
        "test accuracy": text("{:.2%}", "accuracy"),
        "at 95 %": text("[{:.2%}, {:.2%}]", "accuracy_low_95", "accuracy_high_95"),
        "AUROC": text("{:.4f}", "auroc"),
        "parameters": text("{:,}", "num_params"),
        "size on disk": text("{:,.2f} MiB", "model_mib"),
        "preparation": text("{:,.2f} s", "preparation_s"),
        "loading": text("{:,.2f} s", "loading_s"),
        "training, best": text("{:,.2f} s", "training_s"),
        "training, all": text("{:,.2f} s", "search_training_s"),
        "prediction": text("{:,.2f} s", "prediction_s"),
        "images/s": text("{:,.0f}", "prediction_images_per_s"),
    }


def _print(runs: dict[str, Cells], console: Console) -> None:
    """A column for each run; of more than fit, a line for each; where that is too wide, columns in groups."""
    names, cells = list(runs), list(runs.values())
    labels = list(cells[0])
    widest = max(len(each[label]) for each in cells for label in labels if label not in ("space", "data"))
    least = max(NAME_WIDTH, widest)
    room = console.width - max(map(len, labels))
    groups = math.ceil(len(names) / max(1, room // (least + PADDING)))
    lines = make_table(rows_table({"run": name, **runs[name]} for name in names))
    if groups > 1 and fits(lines, console):
        console.print(lines)
        return
    size = math.ceil(len(names) / groups)
    for start in range(0, len(names), size):
        group = {name: runs[name] for name in names[start : start + size]}
        if start:
            console.print()
        console.print(_side_by_side(group, max(least, room // size - PADDING)))


def _side_by_side(runs: dict[str, Cells], width: int) -> Table:
    """A column of at most this width for each run."""
    table = Table(box=None, pad_edge=False, padding=(0, PADDING, 0, 0), header_style="bold")
    table.add_column("", style="dim", no_wrap=True)
    for name in runs:
        # Broken where its parts meet, and anywhere only where a part alone is too long.
        heading = textwrap.fill(name.replace("-", "- "), width).replace("- ", "-")
        table.add_column(heading, max_width=width, overflow="fold", vertical="bottom")
    for label in next(iter(runs.values())):
        table.add_row(label, *(cells[label] for cells in runs.values()))
    return table
