"""Configurations to try first: those the user names, and the best of an earlier search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import keras_tuner as kt

from tuner.config import SearchConfig
from tuner.errors import UsageError
from tuner.home_folder import expanded_path
from tuner.objective import Objective
from tuner.results.schema import COMPLETED, HP_PREFIX, TRIALS_FILE
from tuner.results.tables import read_table
from tuner.spaces.assignments import Presets, assignments, configuration, parse_number
from tuner.spaces.configurations import Values, key, walk


@dataclass(frozen=True)
class Initial:
    """Configurations to try first, in order; `left_out` rows of an earlier search lie outside the space."""

    configurations: tuple[Values, ...]
    left_out: int = 0


def initial_configurations(
    config: SearchConfig, space: kt.HyperParameters, presets: Presets | None = None
) -> Initial:
    """Return the configurations of `--include`, then the best of `--warm-start`, each once.

    A hyperparameter that is not named has its default. An earlier search gives half of the trials at most.
    Without either, an algorithm that learns begins with the defaults, a sound model by the author of the
    space. Random and grid search have no initial configurations of their own.

    Raises:
        UsageError: a name, a value or a file that cannot be used.
    """
    if not config.include and config.warm_start is None and config.algorithm not in ("random", "grid"):
        return Initial((walk(space, lambda parameter: parameter.default),))
    found: dict[str, Values] = {}
    for text in config.include:
        values = _included(text, space, presets or {})
        found[key(values)] = values
    if len(found) > config.max_trials:
        raise UsageError(
            f"--include names {len(found)} configurations, --max-trials allows {config.max_trials}. "
            "Raise --max-trials or name fewer."
        )
    if config.warm_start is None:
        return Initial(tuple(found.values()))
    best, left_out = _earlier(expanded_path(config.warm_start), config.objective, space)
    places = min(math.ceil(config.max_trials / 2), config.max_trials - len(found))
    new = [name for name in best if name not in found][:places]
    return Initial((*found.values(), *(best[name] for name in new)), left_out)


def _included(text: str, space: kt.HyperParameters, presets: Presets) -> Values:
    preset, given = assignments("--include", text, presets, _example(space))
    try:
        values = configuration({**preset, **given}, space)
    except ValueError as error:
        raise UsageError(f"--include '{text}': {error}") from None
    for name in given:
        if name not in values:
            raise UsageError(f"--include '{text}': {_why_inactive(name, values, space)}")
    return values


def _earlier(path: Path, objective: Objective, space: kt.HyperParameters) -> tuple[dict[str, Values], int]:
    """Return completed configurations in the space, the best first, and the number of those outside it."""
    path = path / TRIALS_FILE if path.is_dir() else path
    trials = read_table(path, f"--warm-start a run or its {TRIALS_FILE}")
    if missing := {"status", "score", "objective"} - set(trials):
        raise UsageError(
            f"--warm-start '{path}' has no column '{min(missing)}'. Give the {TRIALS_FILE} of a run."
        )
    trials = trials[(trials["status"] == COMPLETED) & (trials["score"] != "")]
    if trials.empty:
        raise UsageError(f"--warm-start '{path}' has no completed trial. Give the file of another search.")
    for other in trials["objective"]:
        if other != objective.name:
            raise UsageError(
                f"--warm-start '{path}' ranks trials by '{other}', this search by '{objective.name}'. "
                f"Give --objective {other}, or another file."
            )
    scores = trials["score"].map(parse_number)
    for row, text in trials["score"][scores.isna()].items():
        raise UsageError(f"--warm-start '{path}' row {row}: score '{text}' is not a number. Correct it.")
    ranked = trials.loc[scores.sort_values(ascending=objective.direction == "min", kind="stable").index]
    found: dict[str, Values] = {}
    reasons = []
    names = [name for name in map(str, ranked) if name.startswith(HP_PREFIX)]
    for cells in ranked[names].to_numpy():
        given = {name.removeprefix(HP_PREFIX): cell for name, cell in zip(names, cells, strict=True) if cell}
        try:
            values = configuration(given, space)
        except ValueError as error:
            reasons.append(str(error))
        else:
            found.setdefault(key(values), values)
    if not found:
        raise UsageError(f"--warm-start '{path}': no trial lies in this space; of the best, {reasons[0]}")
    return found, len(reasons)


def _why_inactive(name: str, values: Values, space: kt.HyperParameters) -> str:
    parameter = next(parameter for parameter in space.space if parameter.name == name)
    needs = " and ".join(
        f"{condition.name}={' or '.join(str(value) for value in condition.values)}"
        for condition in parameter.conditions
        if not condition.is_active(values)
    )
    return f"'{name}' has no effect here: it needs {needs}. Add that, or leave '{name}' out."


def _example(space: kt.HyperParameters) -> str:
    defaults = walk(space, lambda parameter: parameter.default)
    return ",".join(f"{name}={value}" for name, value in islice(defaults.items(), 2))
