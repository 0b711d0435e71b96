"""One configuration and no other."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.spaces.configurations import Values, walk
from tuner.tuning.oracles.planned import PlannedOracle


class SingleOracle(PlannedOracle):
    """Proposes the first configuration that is to be tried, else the defaults.

    None takes its place if it fails.
    """

    def candidates(self, number: int) -> Iterator[Values]:
        if number == 1:
            yield walk(self.hyperparameters, lambda parameter: parameter.default)
