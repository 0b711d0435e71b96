"""`tuner leaderboard`: the trials of a run, ranked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import typer
from rich.table import Table

from tuner.cli.options import DEFAULT_RESULTS_DIR, FormatOption, ResultsDirOption, RunArgument
from tuner.cli.output import MOST_VALUES, fits, format_value, format_values, make_table, note, show, stdout
from tuner.cli.terminal import Console, Text
from tuner.results.query import RunView, common_values, find_run, reference
from tuner.results.schema import FAILED, HP_PREFIX, INTERRUPTED, RUNNING, TRIAL_COLUMNS, TRIALS_FILE
from tuner.results.tables import rows_table, trials_table
from tuner.units import counted

TOP = 10


def leaderboard(
    run: RunArgument = None,
    top: Annotated[int, typer.Option(min=1, help="How many trials to show.")] = TOP,
    form: FormatOption = "table",
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Rank the trials of a run by their score."""
    view = find_run(run, results_dir, note)
    if view.facts["status"] == INTERRUPTED:
        note(f"Run '{view.run_id}' was interrupted. Continue it with: tuner resume {reference(view.path)}")
    if form == "table":
        print_leaderboard(view, top, stdout())
    else:
        frame = trials_table(view.ranked[:top], view.facts["objective"]).reset_index()
        frame.insert(0, "rank", range(1, len(frame) + 1))
        if form == "json":  # where the objective comes after the other facts
            frame = frame[[*frame.columns.drop("objective").insert(len(TRIAL_COLUMNS), "objective")]]
        show(frame, form, sparse=True)


def print_leaderboard(run: RunView, top: int, console: Console) -> None:
    """Print the best trials under a headline, what all have in common, and how many there are."""
    console.print(Text(f"Leaderboard of {run.run_id}", "bold"), soft_wrap=True)
    # A single trial has nothing in common with others.
    common = common_values([trial.values for trial in run.trials]) if len(run.trials) > 1 else {}
    console.print(_table(run, top, common, console))
    differing = len({name for trial in run.trials for name in trial.values} - common.keys())
    if differing > MOST_VALUES or len(common) > MOST_VALUES:
        console.print(
            Text(f"all {differing + len(common):,} hyperparameters: {run.path / TRIALS_FILE}", "dim"),
            soft_wrap=True,
        )
    if common:
        console.print(Text(f"all with {format_values(common)}", "dim"))
    console.print(Text(_counts(run, min(top, len(run.ranked))), "dim"))


def _table(run: RunView, top: int, common: Collection[str], console: Console) -> Table:
    """The best trials with what a reader compares first; JSON and CSV have every column.

    Where the console has no room for a column for each hyperparameter, they share one.

    Args:
        common: Hyperparameters that need no column.
    """
    ranked = run.ranked[:top]
    values = [{name: value for name, value in trial.values.items() if name not in common} for trial in ranked]
    rows: list[dict[str, Any]] = [
        {
            "": rank,
            "trial": trial.trial_id,
            run.facts["objective"]: f"{trial.score:.4f}",
            "epoch": f"{trial.best_epoch}/{trial.epochs}",
            "params": _millions(trial.num_params),
            "seconds": f"{trial.duration_s:.1f}",
            **{HP_PREFIX + name: format_value(value) for name, value in varied.items()},
            "hyperparameters": format_values(varied),
        }
        for rank, (trial, varied) in enumerate(zip(ranked, values, strict=True), start=1)
    ]
    fixed = ["", "trial", run.facts["objective"], "epoch", "params", "seconds"]
    names = list(dict.fromkeys(HP_PREFIX + name for varied in values for name in varied))[:MOST_VALUES]
    table = make_table(rows_table(rows, [*fixed, *names]))
    for column in table.columns:
        name = str(column.header)
        value = ranked[0].values.get(name.removeprefix(HP_PREFIX)) if ranked else None
        column.justify = "right" if name in fixed or isinstance(value, int | float) else "left"
        column.header = name.removeprefix(HP_PREFIX).replace("_", "\n")
        column.vertical = "bottom"
    return table if fits(table, console) else make_table(rows_table(rows, [*fixed[:5], "hyperparameters"]))


def _counts(run: RunView, shown: int) -> str:
    failed = sum(trial.status == FAILED for trial in run.trials)
    begun = sum(trial.status == RUNNING for trial in run.trials)
    state = INTERRUPTED if run.facts["status"] == INTERRUPTED else "running"
    parts = [f"{shown} of {counted(len(run.trials), 'trial')}"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{begun} {state}"] if begun else []
    return ", ".join(parts) + "; epoch = best/trained"


def _millions(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count / 1e6:.2f} M" if count >= 10_000 else f"{count:,}"
