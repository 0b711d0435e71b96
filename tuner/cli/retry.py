"""`tuner retry`: run failed trials again."""

from __future__ import annotations

from tuner.cli.options import DEFAULT_RESULTS_DIR, QuietOption, ResultsDirOption, RunArgument
from tuner.cli.resume import (
    AcceptChangedCode,
    Cluster,
    CpusPerTrial,
    Data,
    GpusPerTrial,
    MaxEpochsTotal,
    MaxFailures,
    MaxTime,
    MaxTrials,
    TrialTimeout,
    WorkerMemory,
    Workers,
    continue_run,
)


def retry(
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
    """Run the failed trials of a run again, each from its beginning, then whatever else is left to do."""
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
    continue_run(run, results_dir, changes, accept_changed_code, retry=True, quiet=quiet)
