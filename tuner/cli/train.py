"""`tuner train`: one configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli.options import QuietOption, option
from tuner.cli.search import BUDGET, CLUSTER, OUTPUT, TRAINING, WHAT
from tuner.config import make_config, read_toml
from tuner.errors import UsageError
from tuner.tuning.single_request import SINGLE, assigned


def train(
    space: Annotated[str | None, option("space", WHAT)] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="A configuration that the space names.", rich_help_panel=WHAT),
    ] = None,
    hp: Annotated[
        list[str] | None,
        typer.Option(
            "--hp",
            metavar="NAME=VALUE",
            help="Value of a hyperparameter; the rest are those of the preset, or defaults. Repeatable.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    weights: Annotated[str | None, option("weights", WHAT)] = None,
    data: Annotated[str | None, option("data", WHAT)] = None,
    limit: Annotated[str | None, option("limit", WHAT)] = None,
    limit_test: Annotated[str | None, option("limit_test", WHAT)] = None,
    objective: Annotated[str | None, option("objective", WHAT)] = None,
    positive: Annotated[str | None, option("positive", WHAT)] = None,
    max_epochs: Annotated[str | None, option("max_epochs", BUDGET)] = None,
    max_time: Annotated[str | None, option("max_time", BUDGET)] = None,
    reuse: Annotated[bool | None, option("reuse", BUDGET)] = None,
    batch_size: Annotated[str | None, option("batch_size", TRAINING)] = None,
    patience: Annotated[str | None, option("patience", TRAINING)] = None,
    class_weights: Annotated[str | None, option("class_weights", TRAINING)] = None,
    seed: Annotated[str | None, option("seed", TRAINING)] = None,
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
        typer.Option(
            "--config",
            help="TOML file of tuner best --format toml, or the hyperparameters.json of a run.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Train one configuration: a search of one, with the same data, results and review."""
    given = dict(locals())
    for other in ("preset", "hp", "config", "quiet"):
        del given[other]
    asked = _asked(config) if config is not None else {}
    texts = [*asked.pop("hp", ()), *(hp or ())]
    for text in texts:
        if "|" in text:
            raise UsageError(
                f"--hp '{text}' names several values. Give one, or compare them with tuner search."
            )
    values = [*([f"preset={preset}"] if preset else []), *texts]
    request = {**asked, **{key: value for key, value in given.items() if value is not None}}
    # The one trial is what the space's defaults are, once the values above are the only ones.
    search = make_config({**request, "hp": values, **SINGLE})

    from tuner.cli.session import run_search

    run_search(search, quiet)


def _asked(path: Path) -> dict[str, Any]:
    """The request in a file: a TOML file of options, or hyperparameters alone as a run has them.

    Raises:
        UsageError: it cannot be read, or is neither.
    """
    if path.suffix != ".json":
        return read_toml(path)
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read '{path}': {error}. Give the hyperparameters.json of a run.") from None
    if not isinstance(values, dict):
        raise UsageError(f"'{path}' holds no values by name. Give the hyperparameters.json of a run.")
    return {"hp": assigned(values)}
