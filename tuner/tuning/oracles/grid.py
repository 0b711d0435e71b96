"""Grid search: every configuration in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import keras_tuner as kt

from tuner.spaces.configurations import Values, all_values, enumerate_space
from tuner.tuning.oracles.planned import PlannedOracle


class GridSearchOracle(PlannedOracle):
    """Walks the space in the order of declaration, the last hyperparameter fastest."""

    def candidates(self, number: int) -> Iterator[Values]:  # noqa: ARG002
        """Yield the rest of the walk; a restored Oracle starts over and skips tried configurations."""
        return self._walk

    @cached_property
    def _walk(self) -> Iterator[Values]:
        return enumerate_space(self.hyperparameters, grid_values)


def grid_values(parameter: Any) -> Sequence[Any]:
    """Return the values on the grid: all, or the ten that Keras Tuner spreads over a range without step.

    Source: Keras Tuner 1.4, `GridSearchOracle` and `Numerical.values`.
    """
    types = kt.engine.hyperparameters
    if isinstance(parameter, types.Int | types.Float) and parameter.step is None:
        return sorted(parameter.values)
    return all_values(parameter)
