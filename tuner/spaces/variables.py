"""Objects with variables of Keras that a space makes outside `build`, where all trials would share them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def holds_variables(*owners: Any) -> bool:
    """True if an attribute of an owner is a layer, a model, an optimizer or a metric, or holds some.

    Args:
        owners: A module, or a hypermodel.
    """
    import keras
    import keras_tuner as kt

    kinds = (keras.Layer, keras.Optimizer, keras.Metric, keras.Variable, keras.random.SeedGenerator)

    def has(value: Any) -> bool:
        if isinstance(value, kinds):
            return True
        if isinstance(value, list | tuple | set):
            return any(map(has, value))
        if isinstance(value, dict):
            return any(map(has, value.values()))
        return isinstance(value, kt.HyperModel) and any(map(has, _attributes(value)))

    return any(has(value) for owner in owners for value in _attributes(owner))


def _attributes(owner: Any) -> Iterable[Any]:
    return list(getattr(owner, "__dict__", {}).values())
