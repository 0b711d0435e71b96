"""The best trials of a search."""

from __future__ import annotations

from collections.abc import Mapping

from tuner.objective import Direction
from tuner.results.query import rank
from tuner.results.schema import FAILED, TrialRecord


class Leaders:
    """The best `size` of the trials in `every`, a mapping that the search changes.

    `trials` holds them, the best first. An update compares few trials, not all.
    """

    def __init__(self, every: Mapping[str, TrialRecord], direction: Direction, size: int) -> None:
        self._every, self._direction, self._size = every, direction, size
        self.trials = self._ranked(list(every.values()))

    def update(self, trial: TrialRecord) -> None:
        """Take note of a trial that has changed."""
        others = [record for record in self.trials if record.trial_id != trial.trial_id]
        # A score never gets worse. Only a trial that fails or begins again loses its score; then any other
        # may take its place.
        has_none = trial.status == FAILED or trial.score is None
        lost_one = has_none and len(others) < len(self.trials)
        self.trials = self._ranked(list(self._every.values()) if lost_one else [*others, trial])

    def _ranked(self, trials: list[TrialRecord]) -> list[TrialRecord]:
        return rank(trials, self._direction)[: self._size]
