"""Random search: every configuration drawn on its own."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.spaces.configurations import Values
from tuner.tuning.oracles.planned import PlannedOracle


class RandomSearchOracle(PlannedOracle):
    """Draws each active hyperparameter from its own distribution, as Keras Tuner's does."""

    def samples(self, number: int) -> Iterator[Values]:  # noqa: ARG002
        """Yield nothing: chance is all there is."""
        return iter(())
