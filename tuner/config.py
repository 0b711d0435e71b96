"""The request: what to search, with which budget. Fields, defaults, validation, TOML in and out."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from tuner.data_options import DataOptions
from tuner.errors import UsageError
from tuner.objective import Objective, parse_objective
from tuner.option_fields import (
    BUDGET,
    CLUSTER,
    DATA,
    OUTPUT,
    PANELS,
    TRAINING,
    WHAT,
    option_name,
    panel_of,
    validated,
)
from tuner.path_names import printable
from tuner.units import mebibytes, seconds


def _objective(value: object) -> object:
    return parse_objective(value) if isinstance(value, str) else value


def _cluster(value: str) -> str:
    if value not in ("local", "auto") and not re.fullmatch(r"ray://[^\s/:]+:\d+", value):
        raise ValueError("allowed: local, auto or ray://HOST:PORT")
    return value


def _gpus(value: float) -> float:
    if value > 1 and value != int(value):
        raise ValueError("use a part of one GPU, such as 0.25, or whole ones")
    return value


def _run_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise ValueError("use letters, digits, '.', '_' and '-', starting with a letter or digit")
    return value


# Algorithms that train most trials for a few epochs, and the best of them further.
WITH_RUNGS = ("hyperband", "asha")
# What holds where neither the request nor the space says something else.
DEFAULT_BATCH_SIZE = 64
DEFAULT_PATIENCE = 3

Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0, allow_inf_nan=False)]
Mebibytes = Annotated[float, BeforeValidator(mebibytes), Field(ge=256, allow_inf_nan=False)]
ClusterAddress = Annotated[str, AfterValidator(_cluster)]
Gpus = Annotated[float, AfterValidator(_gpus)]
RunName = Annotated[str, AfterValidator(_run_name)]


class SearchConfig(DataOptions):
    """One search. Each field is the option `--field-name`, the TOML key and the variable TUNER_FIELD_NAME."""

    space: Annotated[str, WHAT] = Field(
        "sequential", description="Search space: a name, FILE.py, FILE.ipynb, FILE:NAME or MODULE:NAME."
    )
    data: Annotated[str, AfterValidator(printable), DATA] = Field(
        "demo",
        description="Images in classes: a folder, an archive, a table of labels, arrays, or 'demo'.",
    )
    algorithm: Annotated[
        Literal["hyperband", "asha", "random", "grid", "bayesian", "tpe", "single"], WHAT
    ] = Field("hyperband", description="How configurations are chosen and how long each may train.")
    sampler: Annotated[Literal["tpe", "random", "bayesian"], WHAT] = Field(
        "tpe", description="Hyperband and ASHA: how new configurations are chosen."
    )
    hp: Annotated[tuple[str, ...], WHAT] = Field(
        (),
        description="Search these values only: NAME=VALUE or NAME=VALUE|VALUE, or preset=NAME. Repeatable.",
    )
    weights: Annotated[str | None, WHAT] = Field(
        None,
        description="Weights to start from: imagenet, none or a file; the same as --hp weights=...",
    )
    include: Annotated[tuple[str, ...], WHAT] = Field(
        (),
        description="Try this configuration first: NAME=VALUE,... or preset=NAME; the rest are defaults. "
        "Repeatable.",
    )
    warm_start: Annotated[str | None, WHAT] = Field(
        None,
        description="Try the best configurations of this trials.csv first, for half of the trials at most.",
    )
    max_trials: Annotated[int, BUDGET] = Field(50, ge=1, description="Distinct configurations to try.")
    max_epochs: Annotated[int, BUDGET] = Field(10, ge=1, description="Most epochs one trial may train.")
    factor: Annotated[int, BUDGET] = Field(
        3, ge=2, description="Hyperband and ASHA: one trial in FACTOR goes on to the next rung."
    )
    objective: Annotated[Objective, WHAT, BeforeValidator(_objective), PlainSerializer(str)] = Field(
        Objective("val_accuracy", "max"),
        description="Metric that ranks trials; NAME:min or NAME:max where the name does not tell.",
    )
    batch_size: Annotated[int | None, TRAINING] = Field(
        None,
        ge=1,
        description="Images in one training step; default: what the space searches, else "
        f"{DEFAULT_BATCH_SIZE}.",
    )
    patience: Annotated[int | None, TRAINING] = Field(
        None,
        ge=0,
        description="Stop a trial after this many epochs without gain, 0 never; default: what the space "
        f"searches, else {DEFAULT_PATIENCE}.",
    )
    class_weights: Annotated[Literal["none", "auto"] | None, TRAINING] = Field(
        None, description="auto: let all classes count alike in training, however many images they have."
    )
    seed: Annotated[int, TRAINING] = Field(
        0, ge=0, lt=2**31, description="Drives sampling, weights, shuffling and splits."
    )
    fidelity: Annotated[Literal["auto", "epochs", "data", "part"], BUDGET] = Field(
        "auto",
        description="Hyperband and ASHA: lower rungs train for fewer epochs, in more of them on part of the "
        "data, or, with Hyperband, for fewer epochs of which the first are on part of the data; auto: part "
        "for small data sets, else epochs.",
    )
    max_epochs_total: Annotated[int | None, BUDGET] = Field(
        None, ge=1, description="End the search after so many epochs of training in all."
    )
    max_time: Annotated[Seconds | None, BUDGET] = Field(
        None, description="End the search after this long, e.g. 90s, 45m, 2h."
    )
    trial_timeout: Annotated[Seconds | None, BUDGET] = Field(
        None, description="A trial that trains longer than this, all rungs together, has failed."
    )
    max_failures: Annotated[int, BUDGET] = Field(
        5, ge=1, description="Stop when so many trials in a row fail, of one rung."
    )
    workers: Annotated[int, TRAINING] = Field(
        1, ge=1, le=10_000, description="Trials that train at the same time."
    )
    cluster: Annotated[ClusterAddress | None, CLUSTER] = Field(
        None,
        description="Train on a Ray cluster: auto (the one of this machine), ray://HOST:PORT, or local (this "
        "machine alone).",
    )
    cpus_per_trial: Annotated[float | None, CLUSTER] = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Cluster: cores for each worker; default: 1, with local its share of the machine.",
    )
    gpus_per_trial: Annotated[Gpus | None, CLUSTER] = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Cluster: GPUs for each worker, such as 0.25; default: its share of them, 1 at most.",
    )
    storage: Annotated[str | None, CLUSTER] = Field(
        None,
        description="Where checkpoints are kept: a folder that all nodes have, or a URL such as "
        "s3://BUCKET/FOLDER; default: in the run's folder.",
    )
    worker_memory: Annotated[Mebibytes | None, TRAINING] = Field(
        None,
        description="Most resident memory of one worker, e.g. 4GiB; default: its share of the machine's.",
    )
    precision: Annotated[Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"], TRAINING] = Field(
        "auto", description="Of the arithmetic; auto: mixed on GPUs that gain by it."
    )
    xla: Annotated[Literal["auto", "on", "off"], TRAINING] = Field(
        "auto", description="TensorFlow: compile training steps with XLA; auto: where it was measured to pay."
    )
    reuse: Annotated[bool, BUDGET] = Field(
        True,
        description="Take what earlier runs in the same results folder know instead of training it again.",
    )
    pixels: Annotated[Literal["0..255", "0..1", "-1..1"], TRAINING] = Field(
        "0..255", description="Range of pixels that the space expects, if it does not scale them itself."
    )
    tensorboard: Annotated[bool, OUTPUT] = Field(
        False, description="Write scalars and HParams for TensorBoard into the run's folder."
    )
    name: Annotated[RunName | None, OUTPUT] = Field(
        None, description="Name of the run's folder; default: start time, space and data set."
    )
    results_dir: Annotated[str, OUTPUT] = Field("results", description="Folder that holds the runs.")

    @model_validator(mode="after")
    def _options_of_a_cluster(self) -> SearchConfig:
        for name in ("cpus_per_trial", "gpus_per_trial"):
            value = getattr(self, name)
            if self.cluster is None and value is not None:
                raise ValueError(
                    f"{option_name(name)} {value:g} goes with --cluster; name one, or leave it out"
                )
        return self

    @model_validator(mode="after")
    def _options_of_rungs(self) -> SearchConfig:
        if self.algorithm in WITH_RUNGS:
            if self.fidelity == "part" and self.algorithm != "hyperband":
                raise ValueError(f"--fidelity part goes with --algorithm hyperband, not '{self.algorithm}'")
            return self
        for given, why in (
            (f"sampler {self.sampler}" if self.sampler != "tpe" else "", "chooses configurations itself"),
            (f"fidelity {self.fidelity}" if self.fidelity in ("data", "part") else "", "has no lower rungs"),
        ):
            if given:
                raise ValueError(
                    f"--{given} goes with --algorithm {' or '.join(WITH_RUNGS)}; '{self.algorithm}' {why}"
                )
        return self


def _order(field: str) -> tuple[int, bool]:
    return PANELS.index(panel_of(SearchConfig.model_fields[field])), field in DataOptions.model_fields


FIELDS = tuple(sorted(SearchConfig.model_fields, key=_order))
"""Names of all fields in the order of --help and of files, panel by panel."""


def make_config(values: Mapping[str, Any], origin: str = "") -> SearchConfig:
    """Validate a request.

    Args:
        values: Field names and values; text is converted.
        origin: Where the values come from (a TOML file), for the error.

    Raises:
        UsageError: an unknown key or a value that is not allowed.
    """
    return validated(SearchConfig, values, origin)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys and values of a configuration file.

    Raises:
        UsageError: no such file, not TOML, an unknown key or a value that is not allowed.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read config file '{path}': {error.strerror}. Give a TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"'{path}' is not valid TOML: {error}. Correct the file.") from None
    make_config(values, origin=str(path))
    return values


def to_toml(config: SearchConfig) -> str:
    """Return the whole request, defaults included, as TOML; unset optional fields are left out."""
    values = config.model_dump(exclude_none=True)
    # A JSON string, number or boolean is the same text in TOML, but for DEL, which JSON does not escape.
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key in FIELDS
        if (value := values.get(key)) is not None
    ]
    return "".join(lines).replace("\x7f", "\\u007f")
