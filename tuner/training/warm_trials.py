"""Trials that a worker keeps built and traced in case they are promoted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tuner.training.checkpoint import History, read_history
from tuner.training.loop_base import Loop
from tuner.training.task import LateHyperparameters, TrainTask

MAX_KEPT = 8
MAX_KEPT_MIB = 512.0


@dataclass(frozen=True)
class BuiltTrial:
    """A trial that is ready to train: its model, the loop that trains it, and its finished epochs.

    `late` are hyperparameters of the build that its task does not name.
    """

    model: Any
    loop: Loop
    history: History
    late: LateHyperparameters | None = None


@dataclass(frozen=True)
class _Kept:
    built: BuiltTrial
    score: float
    mib: float


class WarmTrials:
    """The best of the trials that this process trained, MAX_KEPT at most.

    Hyperband promotes the best ones. A promoted trial from here continues without another build, restore and
    trace.

    Args:
        max_mib: Maximum memory of their weights, optimizer states and loops together, in MiB.
    """

    def __init__(self, max_mib: float = MAX_KEPT_MIB) -> None:
        self._max_mib = max_mib
        self._kept: dict[str, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, trial_id: str) -> bool:
        return trial_id in self._kept

    def clear(self) -> None:
        """Forget all trials."""
        self._kept.clear()

    def take(self, task: TrainTask) -> BuiltTrial | None:
        """Return a trial and forget it; None unless it agrees with its checkpoint."""
        kept = self._kept.pop(task.trial_id, None)
        if kept is None or read_history(task.checkpoint_dir) != kept.built.history:
            return None
        return kept.built

    def keep(self, task: TrainTask, built: BuiltTrial) -> None:
        """Keep a trial at the end of a rung, and forget the worst ones if there are too many.

        A trial without an objective is never promoted, and never kept.
        """
        best = task.best_epoch(built.history)
        if best is None or task.objective is None:
            return
        score = built.history[best - 1].metrics[task.objective.name]
        sign = 1 if task.objective.direction == "max" else -1
        self._kept[task.trial_id] = _Kept(built, sign * score, _mib(built))
        while len(self._kept) > MAX_KEPT or sum(kept.mib for kept in self._kept.values()) > self._max_mib:
            del self._kept[min(self._kept, key=lambda trial_id: self._kept[trial_id].score)]


def _mib(built: BuiltTrial) -> float:
    """Return the memory of weights and optimizer state, at four bytes a number, and of the loop."""
    variables = [*built.model.variables, *built.model.optimizer.variables]
    numbers = sum(math.prod(variable.shape) for variable in variables)
    return float(numbers * 4 + built.loop.held_bytes) / 2**20
