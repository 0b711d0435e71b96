"""Values of hyperparameters as users write them, NAME=VALUE,..., read for a space."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import keras_tuner as kt

from tuner.errors import UsageError, did_you_mean
from tuner.spaces.configurations import Values, all_values, is_continuous, is_range, nearest, walk
from tuner.spaces.references import unknown

Presets = Mapping[str, Mapping[str, Any]]
PRESET = "preset"
_EXAMPLE = "filters=40,learning_rate=0.001"


def assignments(
    option: str, text: str, presets: Presets, example: str = _EXAMPLE
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values of a preset named in NAME=VALUE,..., and the other values, as text by name.

    Raises:
        UsageError: the text of the option has another form, or there is no such preset.
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
    """Return the value that the text means, in the type it has in the space.

    Raises:
        ValueError: the value is not allowed; the text says which values are.
    """
    for value in [_nearest(parameter, text)] if is_range(parameter) else parameter.values:
        if _means(text, value):
            return value
    raise ValueError(f"{parameter.name}={text} is not allowed. {_allowed(parameter, text)}")


def _nearest(parameter: Any, text: str) -> Any:
    """Return the value of a range that is nearest to a number; None where the text is no number."""
    number = parse_number(text)
    if number is None:
        return None
    if is_continuous(parameter):
        return min(parameter.max_value, max(parameter.min_value, number))
    values = all_values(parameter)
    return values[nearest(values, number)]


def _allowed(parameter: Any, text: str) -> str:
    """Name the values of a hyperparameter, and the one that is nearest to the text."""
    if not is_range(parameter):
        choices = [str(value) for value in parameter.values]
        return f"Allowed: {', '.join(choices)}.{did_you_mean(text, choices)}"
    if parameter.step is None:
        return f"Allowed: {parameter.min_value} to {parameter.max_value}."
    values = all_values(parameter)
    if parameter.sampling == "linear":
        allowed = f"{values[0]:.12g} to {values[-1]:.12g} in steps of {parameter.step}"
    else:
        allowed = ", ".join(f"{value:.12g}" for value in values)
    value = _nearest(parameter, text)
    return f"Allowed: {allowed}." + ("" if value is None else f" Nearest: {value:.12g}.")


def _means(text: str, value: Any) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        number = parse_number(text)
        return number is not None and math.isclose(value, number, rel_tol=1e-9, abs_tol=1e-15)
    return bool(text == value)


def parse_number(text: str) -> float | None:
    """Return the finite number of a text, None where it is no such number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
