"""Configurations of a space: what counts in them, which are the same, and all there are."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import keras_tuner as kt

Values = dict[str, Any]


def effective(space: kt.HyperParameters, values: Values) -> Values:
    """Return the values of active hyperparameters only: two configurations that agree in these are one."""
    hp = space.copy()
    hp.values = dict(values)
    return {p.name: values[p.name] for p in hp.space if p.name in values and hp.is_active(p)}


def key(values: Values) -> str:
    """A text that is equal for equal configurations."""
    return json.dumps(values, sort_keys=True, default=str)


def enumerate_space(space: kt.HyperParameters) -> Iterator[Values]:
    """Yield every effective configuration, in the order of declaration.

    Raises:
        ValueError: a hyperparameter has infinitely many values.
    """
    partial = kt.HyperParameters()
    partial.values = {}

    def extend(position: int) -> Iterator[Values]:
        if position == len(space.space):
            yield dict(partial.values)
            return
        parameter = space.space[position]
        if not partial.is_active(parameter) or parameter.name in partial.values:
            yield from extend(position + 1)
            return
        for value in _values(parameter):
            partial.values[parameter.name] = value
            yield from extend(position + 1)
            del partial.values[parameter.name]

    return extend(0)


def size_at_most(space: kt.HyperParameters, limit: int) -> bool:
    """True where the space has at most `limit` configurations; looks at no more than that many."""
    if any(math.isinf(_count(parameter)) for parameter in space.space):
        return False
    return all(number < limit for number, _ in enumerate(enumerate_space(space)))


def _count(parameter: Any) -> float:
    try:
        return len(_values(parameter))
    except ValueError:
        return math.inf


def _values(parameter: Any) -> list[Any]:
    if isinstance(parameter, kt.engine.hyperparameters.Float) and parameter.step is None:
        raise ValueError(f"'{parameter.name}' is continuous.")
    return list(parameter.values)
