"""Configurations to try first: those the user names, and the best of an earlier search."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

import keras_tuner as kt

from tuner.config import SearchConfig, split_objective
from tuner.errors import UsageError
from tuner.results.schema import COMPLETED, HP_PREFIX, TRIALS_FILE
from tuner.search.configurations import Values, all_values, key, nearest, walk


@dataclass(frozen=True)
class Initial:
    """What is tried first, in this order; `left_out` rows of an earlier search lie outside the space."""

    configurations: tuple[Values, ...]
    left_out: int = 0


def initial_configurations(config: SearchConfig, space: kt.HyperParameters) -> Initial:
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
        values = _included(text, space)
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


def _included(text: str, space: kt.HyperParameters) -> Values:
    given: dict[str, str] = {}
    # A comma in a value is not followed by a name and an equals sign.
    for part in re.split(r",(?=[^,=]*=)", text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not name or not equals:
            raise UsageError(
                f"--include '{text}': '{part}' is not NAME=VALUE. Write e.g. '{_example(space)}'."
            )
        if name in given:
            raise UsageError(f"--include '{text}': '{name}' is given twice. Leave one out.")
        given[name] = value
    try:
        values = _configuration(given, space)
    except ValueError as error:
        raise UsageError(f"--include '{text}': {error}") from None
    for name in given:
        if name not in values:
            raise UsageError(f"--include '{text}': {_why_inactive(name, values, space)}")
    return values


def _earlier(path: Path, objective: str, space: kt.HyperParameters) -> tuple[dict[str, Values], int]:
    """Return the completed configurations that lie in the space, the best first, and how many do not."""
    path = path / TRIALS_FILE if path.is_dir() else path
    metric, direction = split_objective(objective)
    scored: list[tuple[float, dict[str, str]]] = []
    for number, row in _rows(path):
        if row["status"] != COMPLETED or not row["score"]:
            continue
        if row["objective"] != metric:
            raise UsageError(
                f"--warm-start '{path}' ranks trials by '{row['objective']}', this search by '{metric}'. "
                f"Give --objective {row['objective']}, or another file."
            )
        scored.append((_score(row["score"], path, number), row))
    if not scored:
        raise UsageError(f"--warm-start '{path}' has no completed trial. Give the file of another search.")
    scored.sort(key=lambda pair: pair[0], reverse=direction == "max")
    found: dict[str, Values] = {}
    reasons = []
    for _, row in scored:
        given = {
            name.removeprefix(HP_PREFIX): cell
            for name, cell in row.items()
            if name.startswith(HP_PREFIX) and cell
        }
        try:
            values = _configuration(given, space)
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
    score = _number(text)
    if score is None:
        raise UsageError(f"--warm-start '{path}' line {line}: score '{text}' is not a number. Correct it.")
    return score


def _configuration(given: dict[str, str], space: kt.HyperParameters) -> Values:
    """Return the configuration with the given values, the others at their default.

    Raises:
        ValueError: a name is unknown or a value not allowed; the text says what is.
    """
    known = list(dict.fromkeys(parameter.name for parameter in space.space))
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise ValueError(f"there is no hyperparameter '{name}'.{hint} Known: {', '.join(known)}.")

    def choose(parameter: Any) -> Any:
        return _value(parameter, given[parameter.name]) if parameter.name in given else parameter.default

    return walk(space, choose)


def _value(parameter: Any, text: str) -> Any:
    """Return the value that the text means, in the type it has in the space."""
    types = kt.engine.hyperparameters
    if isinstance(parameter, types.Float) and parameter.step is None:
        number = _number(text)
        inside = number is not None and (
            parameter.min_value <= number <= parameter.max_value
            or _same(parameter.min_value, number)
            or _same(parameter.max_value, number)
        )
        if inside and number is not None:
            return min(parameter.max_value, max(parameter.min_value, number))
    elif isinstance(parameter, types.Int | types.Float):
        number = _number(text)
        values = all_values(parameter)
        if number is not None:
            value = values[nearest(values, number)]
            if _same(value, number):
                return value
    else:
        for value in parameter.values:
            if _means(text, value):
                return value
    raise ValueError(f"{parameter.name}={text} is not allowed. {_allowed(parameter, text)}")


def _allowed(parameter: Any, text: str) -> str:
    """Say which values a hyperparameter takes, and which of them is nearest to the text."""
    types = kt.engine.hyperparameters
    if not isinstance(parameter, types.Int | types.Float):
        choices = [str(value) for value in parameter.values]
        close = get_close_matches(text.lower(), choices, n=1)
        return f"Allowed: {', '.join(choices)}." + (f" Did you mean '{close[0]}'?" if close else "")
    if parameter.step is None:
        return f"Allowed: {parameter.min_value} to {parameter.max_value}."
    values = all_values(parameter)
    if parameter.sampling == "linear":
        allowed = f"{values[0]:.12g} to {values[-1]:.12g} in steps of {parameter.step}"
    else:
        allowed = ", ".join(f"{value:.12g}" for value in values)
    number = _number(text)
    hint = "" if number is None else f" Nearest: {values[nearest(values, number)]:.12g}."
    return f"Allowed: {allowed}.{hint}"


def _means(text: str, value: Any) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        number = _number(text)
        return number is not None and _same(value, number)
    return bool(text == value)


def _number(text: str) -> float | None:
    """Return a finite number, None where the text is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _same(value: float, number: float) -> bool:
    """True where two numbers differ by no more than rounding."""
    return math.isclose(value, number, rel_tol=1e-9, abs_tol=1e-15)


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
