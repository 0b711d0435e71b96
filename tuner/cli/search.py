"""`tuner search`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.options import QuietOption, option
from tuner.config import make_config, read_toml

WHAT, BUDGET, TRAINING, CLUSTER, OUTPUT = "What to search", "Budget", "Training", "Cluster", "Output"


def search(
    space: Annotated[str | None, option("space", WHAT)] = None,
    data: Annotated[str | None, option("data", WHAT)] = None,
    algorithm: Annotated[str | None, option("algorithm", WHAT)] = None,
    sampler: Annotated[str | None, option("sampler", WHAT)] = None,
    hp: Annotated[list[str] | None, option("hp", WHAT)] = None,
    weights: Annotated[str | None, option("weights", WHAT)] = None,
    include: Annotated[list[str] | None, option("include", WHAT)] = None,
    warm_start: Annotated[str | None, option("warm_start", WHAT)] = None,
    objective: Annotated[str | None, option("objective", WHAT)] = None,
    positive: Annotated[str | None, option("positive", WHAT)] = None,
    limit: Annotated[str | None, option("limit", WHAT)] = None,
    limit_test: Annotated[str | None, option("limit_test", WHAT)] = None,
    max_trials: Annotated[str | None, option("max_trials", BUDGET)] = None,
    max_epochs: Annotated[str | None, option("max_epochs", BUDGET)] = None,
    max_epochs_total: Annotated[str | None, option("max_epochs_total", BUDGET)] = None,
    max_time: Annotated[str | None, option("max_time", BUDGET)] = None,
    trial_timeout: Annotated[str | None, option("trial_timeout", BUDGET)] = None,
    factor: Annotated[str | None, option("factor", BUDGET)] = None,
    fidelity: Annotated[str | None, option("fidelity", BUDGET)] = None,
    max_failures: Annotated[str | None, option("max_failures", BUDGET)] = None,
    reuse: Annotated[bool | None, option("reuse", BUDGET)] = None,
    batch_size: Annotated[str | None, option("batch_size", TRAINING)] = None,
    patience: Annotated[str | None, option("patience", TRAINING)] = None,
    class_weights: Annotated[str | None, option("class_weights", TRAINING)] = None,
    seed: Annotated[str | None, option("seed", TRAINING)] = None,
    workers: Annotated[str | None, option("workers", TRAINING)] = None,
    worker_memory: Annotated[str | None, option("worker_memory", TRAINING)] = None,
    cluster: Annotated[str | None, option("cluster", CLUSTER)] = None,
    cpus_per_trial: Annotated[str | None, option("cpus_per_trial", CLUSTER)] = None,
    gpus_per_trial: Annotated[str | None, option("gpus_per_trial", CLUSTER)] = None,
    storage: Annotated[str | None, option("storage", CLUSTER)] = None,
    precision: Annotated[str | None, option("precision", TRAINING)] = None,
    xla: Annotated[str | None, option("xla", TRAINING)] = None,
    image_size: Annotated[str | None, option("image_size", TRAINING)] = None,
    strict: Annotated[bool | None, option("strict", TRAINING)] = None,
    tensorboard: Annotated[bool | None, option("tensorboard", OUTPUT)] = None,
    name: Annotated[str | None, option("name", OUTPUT)] = None,
    results_dir: Annotated[str | None, option("results_dir", OUTPUT)] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML file with these options as keys.", rich_help_panel=OUTPUT),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, train nothing.", rich_help_panel=OUTPUT)
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Search for the best model, then show the leaderboard and the winner's confusion matrix.

    Every option can also be a key of the --config file or a variable TUNER_NAME_IN_CAPITALS; an option on the
    command line wins over the variable, the variable over the file.
    """
    given = dict(locals())
    for other in ("config", "dry_run", "quiet"):
        del given[other]
    values = read_toml(config) if config else {}
    request = make_config({**values, **{key: value for key, value in given.items() if value is not None}})

    from tuner.cli.session import preview, run_search

    if dry_run:
        preview(request, quiet)
    else:
        run_search(request, quiet)
