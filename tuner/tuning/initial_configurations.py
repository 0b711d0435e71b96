"""Configurations to try first: those the user names, and the best of an earlier search."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import keras_tuner as kt

from tuner.config import SearchConfig
from tuner.errors import UsageError
from tuner.objective import Objective
from tuner.results.schema import COMPLETED, HP_PREFIX, TRIALS_FILE
from tuner.spaces.assignments import Presets, assignments, configuration, parse_number
from tuner.spaces.configurations import Values, key, walk


@dataclass(frozen=True)
class Initial:
    """What is tried first, in this order; `left_out` rows of an earlier search lie outside the space."""

    configurations: tuple[Values, ...]
    left_out: int = 0


def initial_configurations(
    config: SearchConfig, space: kt.HyperParameters, presets: Presets | None = None
) -> Initial:
    """Return the configurations of `--include`, then the best of `--warm-start`, each once.

    A hyperparameter that is not named has its default. An earlier search gives half of the trials at most.
    Where neither is given, an algorithm that builds on what it has seen begins with the defaults: the author
    of a space knows a sound model. Random and grid search stay what they are.

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
    best, left_out = _earlier(Path(config.warm_start), config.objective, space)
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
    """Return the completed configurations that lie in the space, the best first, and how many do not."""
    path = path / TRIALS_FILE if path.is_dir() else path
    scored: list[tuple[float, dict[str, str]]] = []
    for number, row in _rows(path):
        if row["status"] != COMPLETED or not row["score"]:
            continue
        if row["objective"] != objective.name:
            raise UsageError(
                f"--warm-start '{path}' ranks trials by '{row['objective']}', this search by "
                f"'{objective.name}'. Give --objective {row['objective']}, or another file."
            )
        scored.append((_score(row["score"], path, number), row))
    if not scored:
        raise UsageError(f"--warm-start '{path}' has no completed trial. Give the file of another search.")
    scored.sort(key=lambda pair: pair[0], reverse=objective.direction == "max")
    found: dict[str, Values] = {}
    reasons = []
    for _, row in scored:
        given = {
            name.removeprefix(HP_PREFIX): cell
            for name, cell in row.items()
            if name.startswith(HP_PREFIX) and cell
        }
        try:
            values = configuration(given, space)
        except ValueError as error:
            reasons.append(str(error))
        else:
            found.setdefault(key(values), values)
    if not found:
        raise UsageError(f"--warm-start '{path}': no trial lies in this space; of the best, {reasons[0]}")
    return found, len(reasons)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a trials.csv, each with the number of its line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, restval="", strict=True)
            missing = {"status", "score", "objective"} - set(rows.fieldnames or ())
            if missing:
                raise UsageError(
                    f"--warm-start '{path}' has no column '{min(missing)}'. Give the {TRIALS_FILE} of a run."
                )
            for row in rows:
                if None in row:
                    raise csv.Error(f"line {rows.line_num} has more cells than the header")
                yield rows.line_num, row
    except OSError as error:
        raise UsageError(
            f"--warm-start '{path}' cannot be read: {error.strerror}. Give a run or its {TRIALS_FILE}."
        ) from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(
            f"--warm-start '{path}' is not a table of trials: {error}. Give the {TRIALS_FILE} of a run."
        ) from None


def _score(text: str, path: Path, line: int) -> float:
    score = parse_number(text)
    if score is None:
        raise UsageError(f"--warm-start '{path}' line {line}: score '{text}' is not a number. Correct it.")
    return score


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
