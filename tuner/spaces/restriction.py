"""A search space restricted to the values of `--hp`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import keras_tuner as kt

from tuner.errors import UsageError
from tuner.spaces.assignments import Presets, assignments, parse_number, parse_value
from tuner.spaces.weights import WEIGHTS, weights_value

_types = kt.engine.hyperparameters


def wanted_values(texts: Iterable[str], presets: Presets) -> dict[str, list[str]]:
    """Return the values that `--hp` names for each hyperparameter; later texts win.

    Raises:
        UsageError: a text is not NAME=VALUE|VALUE,... or names an unknown preset.
    """
    wanted: dict[str, list[str]] = {}
    for text in texts:
        preset, given = assignments("--hp", text, presets)
        for name, value in {**preset, **given}.items():
            wanted[name] = [part.strip() for part in value.split("|")]
    return wanted


class RestrictedHyperParameters(kt.HyperParameters):  # type: ignore[misc]
    """Hyperparameters that a space declares, each with its wanted values only.

    Args:
        wanted: Values by name, as text. Names that are never declared have no effect.
    """

    def __init__(self, wanted: Mapping[str, list[str]] = MappingProxyType({})) -> None:
        super().__init__()
        self._wanted = dict(wanted)
        self._fixed: dict[str, Any] = {}

    def fix(self, values: Mapping[str, Any]) -> None:
        """Fix hyperparameters that are declared from now on to these values, whatever their range."""
        self._fixed.update(values)

    def _retrieve(self, hp: Any) -> Any:
        # The one place that every declaration, of whatever kind, passes through.
        return super()._retrieve(self._restricted(hp))

    def _restricted(self, hp: Any) -> Any:
        if hp.name in self._fixed:
            return _one_of(hp, [self._fixed[hp.name]])
        if hp.name not in self._wanted:
            return hp
        texts = self._wanted[hp.name]
        try:
            return _one_of(hp, list(dict.fromkeys(_parse(hp, text) for text in texts)))
        except ValueError as error:
            raise UsageError(f"--hp {hp.name}={'|'.join(texts)}: {error}") from None


def _one_of(hp: Any, values: list[Any]) -> Any:
    """Return a hyperparameter with these values; a Boolean stays: a Choice would turn it into numbers."""
    if len(values) == 1:
        return _types.Fixed(hp.name, values[0], conditions=hp.conditions)
    if isinstance(hp, _types.Boolean):
        return hp
    default = hp.default if hp.default in values else values[0]
    return _types.Choice(hp.name, values, default=default, conditions=hp.conditions)


def _parse(hp: Any, text: str) -> Any:
    """Return the value of a text; a fixed hyperparameter takes any value of its type.

    Raises:
        ValueError: the value is not allowed.
    """
    if not isinstance(hp, _types.Fixed):
        return parse_value(hp, text)
    if isinstance(hp.value, str):
        return weights_value(text) if hp.name == WEIGHTS else text
    number = parse_number(text)
    if isinstance(hp.value, bool) or number is None:
        return parse_value(hp, text)
    return type(hp.value)(number)
