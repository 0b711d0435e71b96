"""`tuner retry`: run failed trials again."""

from __future__ import annotations

from tuner.cli.options import DEFAULT_RESULTS_DIR, QuietOption, ResultsDirOption, RunArgument
from tuner.cli.resume import MaxFailures, TrialTimeout, WorkerMemory, continue_run


def retry(
    run: RunArgument = None,
    trial_timeout: TrialTimeout = None,
    max_failures: MaxFailures = None,
    worker_memory: WorkerMemory = None,
    quiet: QuietOption = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Run the failed trials of a run again, each from its beginning, then whatever else is left to do."""
    changes = {"trial_timeout": trial_timeout, "max_failures": max_failures, "worker_memory": worker_memory}
    continue_run(run, results_dir, changes, retry=True, quiet=quiet)
