"""What a search tells those who watch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuner.results.schema import TrialRecord
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone, StepsDone


@dataclass
class Tally:
    """What a search has trained since it was begun or taken up, beside what was known."""

    images: int = 0
    train_s: float = 0.0
    epochs_s: float = 0.0
    """Seconds in training and validation steps, of all workers together."""
    known_epochs: int = 0

    def add(self, epoch: Epoch, known: bool) -> None:
        """Count an epoch."""
        if known:
            self.known_epochs += 1
        else:
            self.images += epoch.images
            self.train_s += epoch.train_s
            self.epochs_s += epoch.duration_s


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins, or goes on, in a rung. Epochs counted from 0 done to `epochs` planned."""

    trial_id: str
    bracket: int
    rung: int
    initial_epoch: int
    epochs: int
    values: dict[str, Any]
    place: str = ""
    """The worker that trains it, and on a cluster its node."""


def started(trial: TrialRecord, place: str, initial_epoch: int, epochs: int) -> TrialStarted:
    """Return what tells that a trial trains there until it has so many epochs."""
    return TrialStarted(trial.trial_id, trial.bracket, trial.rung, initial_epoch, epochs, trial.values, place)


@dataclass(frozen=True)
class RungEnded:
    """A trial finished its rung, failed in it, or was stopped. `skipped` planned epochs were not needed."""

    trial: TrialRecord
    skipped: int
    is_best: bool


Event = TrialStarted | StepsDone | EpochDone | RungEnded
Listener = Callable[[Event], None]
