"""`tuner resume`: continue an interrupted run."""

from __future__ import annotations

from tuner.cli.options import DEFAULT_RESULTS_DIR, QuietOption, ResultsDirOption, RunArgument
from tuner.results.query import find_run


def resume(
    run: RunArgument = None, quiet: QuietOption = False, results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR
) -> None:
    """Continue an interrupted run where it stands; a finished one is shown."""
    view = find_run(run, results_dir)

    from tuner.cli import session

    session.continue_search(view, quiet)
