"""A search space cut down to the values that the user wants searched."""

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
    """Return the values that `--hp` names for each hyperparameter; what is given later wins.

    Raises:
        UsageError: a text is not NAME=VALUE|VALUE,... or names a preset that there is not.
    """
    wanted: dict[str, list[str]] = {}
    for text in texts:
        preset, given = assignments("--hp", text, presets)
        for name, value in {**preset, **given}.items():
            wanted[name] = [part.strip() for part in value.split("|")]
    return wanted


class RestrictedHyperParameters(kt.HyperParameters):  # type: ignore[misc]
    """Lets a space declare its hyperparameters, and takes of each only the values that are wanted.

    Args:
        wanted: Values by name, as text. Names that are never declared have no effect.
    """

    def __init__(self, wanted: Mapping[str, list[str]] = MappingProxyType({})) -> None:
        super().__init__()
        self._wanted = dict(wanted)
        self._fixed: dict[str, Any] = {}

    def fix(self, values: Mapping[str, Any]) -> None:
        """Give hyperparameters that are declared from now on these values, whatever their range."""
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
    """A hyperparameter with these values in the place of `hp`; a Choice makes numbers of truth values."""
    if len(values) == 1:
        return _types.Fixed(hp.name, values[0], conditions=hp.conditions)
    if isinstance(hp, _types.Boolean):
        return hp
    default = hp.default if hp.default in values else values[0]
    return _types.Choice(hp.name, values, default=default, conditions=hp.conditions)


def _parse(hp: Any, text: str) -> Any:
    """The value that a text means; of a hyperparameter that is fixed any of its type.

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
