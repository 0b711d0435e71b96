"""The task of a trial and its reports, as plain values that pickle."""

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
    """Train one trial from its checkpoint until it has `epochs` epochs.

    The driver knows `epochs_reported` of them; a checkpoint that is not damaged has at least as many. Without
    an objective there is no validation and no patience, and the last epoch is the best.
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
    left_s: float | None = None  # seconds from the start after which no step starts
    compute: Compute = DEFAULT_COMPUTE
    recipe: Recipe = PLAIN
    passes: float = 1.0  # over the training images until the end of the last rung; schedules span them
    shares: tuple[tuple[int, float], ...] = ()  # (n, share): up to epoch n, this share of the training images

    def share(self, epoch: int) -> float:
        """Return the share (0..1] of the training images of an epoch, counted from 1."""
        return next((share for last, share in self.shares if epoch <= last), 1.0)

    @property
    def last_epoch(self) -> int:
        """Number of epochs at the end of the last rung."""
        before, passes = 0, 0.0
        for last, share in self.shares:
            passes += share * (last - before)
            before = last
        return max(self.epochs, round(before + self.passes - passes))

    def is_over(self, history: History) -> bool:
        """True if the training has ended by itself, or `patience` epochs brought no gain.

        Epochs on part of the images do not count for patience. A training that ended with the last of them
        goes on with more images.
        """
        if history and history[-1].final and self.share(len(history)) == self.share(len(history) + 1):
            return True
        on_part = max((last for last, share in self.shares if share < 1), default=0)
        return (
            self.objective is not None
            and len(history) > on_part
            and self.objective.has_stalled(history, self.patience, since=on_part)
        )

    def best_epoch(self, history: History) -> int | None:
        """Return the number, from 1, of the epoch whose weights are kept; None if no value is finite."""
        return len(history) if self.objective is None else self.objective.best_epoch(history)


@dataclass(frozen=True)
class LateHyperparameters:
    """Hyperparameters that the build of a trial declares beside those of its task, with the values it took.

    `space` is the part of `keras_tuner.HyperParameters.get_config()["space"]` that describes them.
    """

    trial_id: str
    space: tuple[dict[str, Any], ...]
    values: dict[str, Any]


@dataclass(frozen=True)
class StepsDone:
    """Number of images done in the current epoch, and their total."""

    trial_id: str
    epoch: int
    done: int
    total: int


@dataclass(frozen=True)
class EpochDone:
    """A finished epoch, counted from 1, that the checkpoint holds."""

    trial_id: str
    rung: int
    number: int
    epoch: Epoch


@dataclass(frozen=True)
class RungDone:
    """The end of a rung: all its epochs are done, patience stopped it, or the time ran out.

    `overhead_s` is the time outside finished epochs: build, trace, an interrupted epoch.
    """

    trial_id: str
    rung: int
    epochs: int
    stopped_early: bool
    timed_out: bool
    num_params: int | None  # None: unknown
    overhead_s: float
    batch_size: int | None = None  # None: that of the task


class TrialError(Exception):
    """The failure of a trial, after which the search continues."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
