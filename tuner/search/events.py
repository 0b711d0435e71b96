"""What a search tells those who watch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuner.results.schema import TrialRecord
from tuner.training.trial import EpochDone, StepsDone


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins, or goes on, in a rung. Epochs counted from 0 done to `epochs` planned."""

    trial_id: str
    bracket: int
    rung: int
    initial_epoch: int
    epochs: int
    values: dict[str, Any]


@dataclass(frozen=True)
class RungEnded:
    """A trial finished its rung, failed in it, or was stopped. `skipped` planned epochs were not needed."""

    trial: TrialRecord
    skipped: int
    is_best: bool


Event = TrialStarted | StepsDone | EpochDone | RungEnded
Listener = Callable[[Event], None]
