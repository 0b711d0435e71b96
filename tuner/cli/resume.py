"""`tuner resume`: continue an interrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli.options import DEFAULT_RESULTS_DIR, QuietOption, ResultsDirOption, RunArgument, option
from tuner.errors import UsageError
from tuner.results.query import find_run
from tuner.results.schema import CONFIG_FILE

CHANGES = "Changes to the request; the budget counts from the run's beginning"


def _change(field: str) -> Any:
    return option(field, CHANGES, variable=False)


Data = Annotated[
    str | None,
    typer.Option(
        "--data", help="Where the images of the run are now, if they moved.", rich_help_panel=CHANGES
    ),
]
AcceptChangedCode = Annotated[
    bool,
    typer.Option(
        "--accept-changed-code",
        help="Go on though the code of the search space changed; the run notes it.",
        rich_help_panel=CHANGES,
    ),
]
# Asked for by those who want more of a run, and answered by the way to that.
MaxTrials = Annotated[str | None, typer.Option("--max-trials", hidden=True)]
MaxTime = Annotated[str | None, _change("max_time")]
MaxEpochsTotal = Annotated[str | None, _change("max_epochs_total")]
TrialTimeout = Annotated[str | None, _change("trial_timeout")]
MaxFailures = Annotated[str | None, _change("max_failures")]
Workers = Annotated[str | None, _change("workers")]
WorkerMemory = Annotated[str | None, _change("worker_memory")]
Cluster = Annotated[str | None, _change("cluster")]
CpusPerTrial = Annotated[str | None, _change("cpus_per_trial")]
GpusPerTrial = Annotated[str | None, _change("gpus_per_trial")]


def resume(
    run: RunArgument = None,
    data: Data = None,
    accept_changed_code: AcceptChangedCode = False,
    max_trials: MaxTrials = None,
    max_time: MaxTime = None,
    max_epochs_total: MaxEpochsTotal = None,
    trial_timeout: TrialTimeout = None,
    max_failures: MaxFailures = None,
    workers: Workers = None,
    worker_memory: WorkerMemory = None,
    cluster: Cluster = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    quiet: QuietOption = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Continue an interrupted run where it stands; a finished one is shown."""
    changes = {
        "data": data,
        "max_trials": max_trials,
        "max_time": max_time,
        "max_epochs_total": max_epochs_total,
        "trial_timeout": trial_timeout,
        "max_failures": max_failures,
        "workers": workers,
        "worker_memory": worker_memory,
        "cluster": cluster,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
    }
    continue_run(run, results_dir, changes, accept_changed_code, retry=False, quiet=quiet)


def continue_run(
    run: str | None,
    results_dir: Path,
    changes: dict[str, str | None],
    accept_changed_code: bool,
    *,
    retry: bool,
    quiet: bool,
) -> None:
    """Find a run and take it up, with the changes that are given.

    Raises:
        UsageError: more trials are asked for than the plan of the run has.
    """
    view = find_run(run, results_dir)
    if changes["max_trials"] is not None:
        raise UsageError(
            f"--max-trials {changes['max_trials']}: the plan of run '{view.run_id}' is laid for "
            f"{view.facts['config']['max_trials']} trials. Start one of more, which takes its trials over: "
            f"tuner search --config {view.path / CONFIG_FILE} --name {view.run_id}-more "
            f"--max-trials {changes['max_trials']}"
        )
    given = {name: value for name, value in changes.items() if value is not None}

    from tuner.cli.session import resume_search

    resume_search(view, given, accept_changed_code, retry, quiet)
