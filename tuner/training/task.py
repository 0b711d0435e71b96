"""What a trial is asked to train, and what it reports. Plain values that pickle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuner.objective import Objective
from tuner.training.checkpoint import Epoch, History
from tuner.training.compute import DEFAULT_COMPUTE, Compute
from tuner.training.recipe import PLAIN, Recipe

FailureReason = Literal["build", "nan", "oom", "crash", "timeout", "data"]


@dataclass(frozen=True)
class TrainTask:
    """Train one trial until it has `epochs` epochs behind it, from where its checkpoint stands.

    `epochs_reported` are known to the driver; a checkpoint may be ahead of them, never behind unless damaged.
    Without an objective there is no validation: nothing is evaluated, patience ends nothing, and the last
    epoch is the best.
    """

    trial_id: str
    values: dict[str, Any]
    rung: int
    epochs: int
    batch_size: int
    patience: int
    objective: Objective | None
    seed: int
    checkpoint_dir: Path
    epochs_reported: int = 0
    left_s: float | None = None  # seconds, from when it begins, after which no step is begun
    compute: Compute = DEFAULT_COMPUTE
    recipe: Recipe = PLAIN
    passes: float = 1.0  # over the training images, to the end of the last rung; schedules span them
    shares: tuple[tuple[int, float], ...] = ()  # (n, share): up to epoch n, this share of the training images

    def share(self, epoch: int) -> float:
        """Return which share (0..1] of the training images an epoch, counted from 1, sees."""
        return next((share for last, share in self.shares if epoch <= last), 1.0)

    def is_over(self, history: History) -> bool:
        """True where `patience` epochs brought no gain; on part of the data that proves nothing."""
        on_part = max((last for last, share in self.shares if share < 1), default=0)
        return (
            self.objective is not None
            and len(history) > on_part
            and self.objective.has_stalled(history, self.patience, since=on_part)
        )

    def best_epoch(self, history: History) -> int | None:
        """Number, from 1, of the epoch whose weights are kept; None where no value is finite."""
        return len(history) if self.objective is None else self.objective.best_epoch(history)


@dataclass(frozen=True)
class StepsDone:
    """Images trained in the epoch under way, of how many."""

    trial_id: str
    epoch: int
    done: int
    total: int


@dataclass(frozen=True)
class EpochDone:
    """One finished epoch, counted from 1; the checkpoint holds it already."""

    trial_id: str
    rung: int
    number: int
    epoch: Epoch


@dataclass(frozen=True)
class RungDone:
    """A trial has what its rung asked for, stopped by itself, or its time ran out.

    `overhead_s` is time that went into no finished epoch: build, trace, an epoch that was cut off.
    """

    trial_id: str
    rung: int
    epochs: int
    stopped_early: bool
    timed_out: bool
    num_params: int | None  # None: not known
    overhead_s: float


class TrialError(Exception):
    """A trial failed for a reason of its own; the search goes on."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
