"""`tuner resume`: continue an interrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli.options import (
    DEFAULT_RESULTS_DIR,
    QuietOption,
    ResultsDirOption,
    RunArgument,
    TrustOption,
    options_of,
)
from tuner.cli.output import note
from tuner.errors import UsageError
from tuner.results.query import find_run
from tuner.results.schema import CONFIG_FILE
from tuner.results.unstarted import refuse_unstarted

CHANGES = "Changes to the request; the budget counts from the run's beginning"
DATA = typer.Option(
    None, "--data", help="Where the images of the run are now, if they moved.", rich_help_panel=CHANGES
)
# Asked for by those who want more of a run, and answered by the way to that.
MAX_TRIALS = typer.Option(None, "--max-trials", hidden=True)
AcceptChangedCode = Annotated[
    bool,
    typer.Option(
        "--accept-changed-code",
        help="Go on though the code of the search space changed; the run notes it.",
        rich_help_panel=CHANGES,
    ),
]
changes_of_a_run = options_of(
    (
        *("data", "max_trials", "max_time", "max_epochs_total", "trial_timeout", "max_failures"),
        *("workers", "worker_memory", "cluster", "cpus_per_trial", "gpus_per_trial"),
    ),
    instead={"data": DATA, "max_trials": MAX_TRIALS},
    panel=CHANGES,
    variables=False,
)


@changes_of_a_run
def resume(
    run: RunArgument = None,
    accept_changed_code: AcceptChangedCode = False,
    trust: TrustOption = False,
    _quiet: QuietOption = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
    **changes: Any,
) -> None:
    """Continue an interrupted run where it stands; a finished one is shown."""
    continue_run(run, results_dir, changes, accept_changed_code, trust, retry=False)


def continue_run(
    run: str | None,
    results_dir: Path,
    changes: dict[str, str],
    accept_changed_code: bool,
    trust: bool,
    *,
    retry: bool,
) -> None:
    """Find a run and take it up, with the changes that are given.

    Raises:
        UsageError: more trials are asked for than the plan of the run has, or its code is not trusted.
    """
    refuse_unstarted(run, results_dir)
    view = find_run(run, results_dir, note)
    if "max_trials" in changes:
        raise UsageError(
            f"--max-trials {changes['max_trials']}: the plan of run '{view.run_id}' is laid for "
            f"{view.facts['config']['max_trials']} trials. Start one of more, which takes its trials over: "
            f"tuner search --config {view.path / CONFIG_FILE} --name {view.run_id}-more "
            f"--max-trials {changes['max_trials']}"
        )

    from tuner.cli.search_commands import resume_search
    from tuner.tuning.trusted_run import trusted

    resume_search(trusted(view, trust), changes, accept_changed_code, retry)
