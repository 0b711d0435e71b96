"""`tuner resume`: continue an interrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tuner.cli.options import DEFAULT_RESULTS_DIR, QuietOption, ResultsDirOption, RunArgument, option
from tuner.results.query import find_run

CHANGES = "Changes to the request; the budget counts from the run's beginning"


def _change(field: str) -> Any:
    return option(field, CHANGES, variable=False)


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
    continue_run(run, results_dir, changes, retry=False, quiet=quiet)


def continue_run(
    run: str | None, results_dir: Path, changes: dict[str, str | None], *, retry: bool, quiet: bool
) -> None:
    """Find a run and take it up, with the changes that are given."""
    view = find_run(run, results_dir)
    given = {name: value for name, value in changes.items() if value is not None}

    from tuner.cli import session

    session.continue_search(view, given, retry, quiet)
