"""What users write of hyperparameters, NAME=VALUE,..., and what it means in a space."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import keras_tuner as kt

from tuner.errors import UsageError
from tuner.spaces.configurations import Values, all_values, nearest, walk
from tuner.spaces.references import unknown

Presets = Mapping[str, Mapping[str, Any]]
PRESET = "preset"
_EXAMPLE = "filters=40,learning_rate=0.001"


def assignments(
    option: str, text: str, presets: Presets, example: str = _EXAMPLE
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a preset named in NAME=VALUE,... gives to each name, and what the rest gives.

    Raises:
        UsageError: the text, which came with this option, has another form, or there is no such preset.
    """
    given: dict[str, str] = {}
    # A comma in a value is not followed by a name and an equals sign.
    for part in re.split(r",(?=[^,=]*=)", text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not name or not equals:
            raise UsageError(f"{option} '{text}': '{part}' is not NAME=VALUE. Write e.g. '{example}'.")
        if name in given:
            raise UsageError(f"{option} '{text}': '{name}' is given twice. Leave one out.")
        given[name] = value
    preset = given.pop(PRESET, None)
    if preset is None:
        return {}, given
    if preset not in presets:
        raise UsageError(f"{option} '{text}': {unknown('preset', preset, presets)}")
    return {name: str(value) for name, value in presets[preset].items()}, given


def configuration(given: dict[str, str], space: kt.HyperParameters) -> Values:
    """Return the configuration with the given values, the others at their default.

    Raises:
        ValueError: a name is unknown or a value not allowed; the text says what is.
    """
    known = {parameter.name for parameter in space.space}
    for name in given:
        if name not in known:
            raise ValueError(unknown("hyperparameter", name, known))

    def choose(parameter: Any) -> Any:
        return parse_value(parameter, given[parameter.name]) if parameter.name in given else parameter.default

    return walk(space, choose)


def parse_value(parameter: Any, text: str) -> Any:
    """Return the value that the text means, in the type it has in the space."""
    types = kt.engine.hyperparameters
    if isinstance(parameter, types.Float) and parameter.step is None:
        number = parse_number(text)
        inside = number is not None and (
            parameter.min_value <= number <= parameter.max_value
            or _same(parameter.min_value, number)
            or _same(parameter.max_value, number)
        )
        if inside and number is not None:
            return min(parameter.max_value, max(parameter.min_value, number))
    elif isinstance(parameter, types.Int | types.Float):
        number = parse_number(text)
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
    number = parse_number(text)
    hint = "" if number is None else f" Nearest: {values[nearest(values, number)]:.12g}."
    return f"Allowed: {allowed}.{hint}"


def _means(text: str, value: Any) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        number = parse_number(text)
        return number is not None and _same(value, number)
    return bool(text == value)


def parse_number(text: str) -> float | None:
    """Return a finite number, None where the text is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _same(value: float, number: float) -> bool:
    """True where two numbers differ by no more than rounding."""
    return math.isclose(value, number, rel_tol=1e-9, abs_tol=1e-15)
