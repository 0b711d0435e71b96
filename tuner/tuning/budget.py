"""The time and the epochs that a search may still spend."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tuner.config import SearchConfig

# A worker looks at the clock after each dispatch of steps. One that has not ended this long after the end of
# the time hangs.
GRACE_S = 10.0


class Budget:
    """The account of one run, over all its interruptions.

    Args:
        spent_s: Seconds that the run has taken before.
        spent_epochs: Epochs trained before.
    """

    def __init__(self, config: SearchConfig, spent_s: float, spent_epochs: int) -> None:
        self._trial_timeout = config.trial_timeout
        self._max_epochs = config.max_epochs_total
        self._spent_before, self._started = spent_s, time.monotonic()
        self._spent_epochs = spent_epochs
        self._granted: dict[str, int] = {}
        self.exceeded: str | None = None
        """'time' or 'epochs' once a trial was refused for it."""
        self._max_s = None if config.max_time is None else config.max_time - spent_s
        self._ended = False

    @property
    def spent_s(self) -> float:
        """Seconds that the run has taken so far."""
        return self._spent_before + self._passed_s

    @property
    def left_s(self) -> float | None:
        """Seconds after which tuner/training/trial.py begins no step; None without a limit."""
        return None if self._max_s is None else self._max_s - self._passed_s

    def end_time(self) -> None:
        """End the time: a worker has used up its share of it."""
        self._ended = True

    @property
    def spent(self) -> dict[str, float]:
        """Facts of the run that `budget_of` reads again."""
        return {"spent_s": self.spent_s, "spent_epochs": self._spent_epochs}

    @property
    def out_of_time(self) -> bool:
        return self._ended or (self.left_s is not None and self.left_s <= 0)

    def allows(self) -> bool:
        """True where another trial may begin or go on."""
        out_of_time, left = self.out_of_time, self._left()
        # Trials under way may stop early and leave some of their epochs.
        out_of_epochs = left <= 0 and not self._granted
        self.exceeded = "time" if out_of_time else "epochs" if out_of_epochs else None
        return left > 0 and not out_of_time

    def grant(self, trial_id: str, done: int, planned: int) -> int:
        """Set epochs aside for a trial that has trained `done`; return its number of epochs in all."""
        granted = int(min(planned - done, self._left()))
        self._granted[trial_id] = granted
        return done + granted

    def spend_epoch(self, trial_id: str) -> None:
        """Count an epoch that a trial trained."""
        self._spent_epochs += 1
        self._granted[trial_id] -= 1

    def settle(self, trial_id: str) -> None:
        """Take back the epochs that a trial did not use."""
        self._granted.pop(trial_id, None)

    def limit_s(self, trained_s: float) -> float | None:
        """Seconds after which to kill a worker whose trial has trained for `trained_s` before, if ever."""
        limits = []
        if self._trial_timeout is not None:
            limits.append(max(0.0, self._trial_timeout - trained_s))
        if self.left_s is not None:
            limits.append(self.left_s + GRACE_S)
        return min(limits, default=None)

    @property
    def _passed_s(self) -> float:
        # Nobody sets this clock, as people and time servers set that of the day.
        return time.monotonic() - self._started

    def _left(self) -> float:
        if self._max_epochs is None:
            return float("inf")
        return self._max_epochs - self._spent_epochs - sum(self._granted.values())


def budget_of(config: SearchConfig, facts: Mapping[str, Any]) -> Budget:
    """Return the budget of a run, less the time and the epochs that its facts say are spent."""
    return Budget(config, facts.get("spent_s", 0.0), facts.get("spent_epochs", 0))
