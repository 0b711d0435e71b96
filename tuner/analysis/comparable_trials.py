"""What the trials of a run showed after the same training: the score, and the seconds of an epoch."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuner.results.query import RunView
from tuner.results.schema import COMPLETED, FAILED, TrialRecord
from tuner.results.timeline import TimedEpoch, timed_epochs

FAILED_REASON = "failed"
UNFINISHED = "unfinished"
OTHER_DATA = "on another share of the data"


@dataclass(frozen=True)
class Observation:
    """One trial: its best score in the first epochs, and the median seconds of one of them."""

    trial_id: str
    values: dict[str, Any]
    score: float
    seconds: float


@dataclass(frozen=True)
class Observations:
    """Trials that can be compared, each by its first `epochs`; `left_out` counts the others by reason."""

    objective: str
    direction: str
    epochs: int
    trials: tuple[Observation, ...]
    failed: tuple[TrialRecord, ...]
    left_out: dict[str, int]

    @property
    def configurations(self) -> dict[str, dict[str, Any]]:
        """Values of the trials that can be compared, and of those that failed, by their ids."""
        compared = {trial.trial_id: trial.values for trial in self.trials}
        return compared | {trial.trial_id: trial.values for trial in self.failed}


def observe(run: RunView) -> Observations:
    """Return the trials of a run as they stood after the same number of epochs on as much data.

    Hyperband trains its better trials longer, so final scores would say as much of the training as of the
    hyperparameters. All trials are compared where the shortest first rung ended; one that stopped before that
    for want of gain counts with its best. Where lower rungs see part of the data, the trials whose first
    epoch saw the most frequent part are compared. Seconds are training and validation; of a run begun too
    early to record them by epoch, the trial's whole time by its epochs.

    Raises:
        StorageError: the store of the run is missing or damaged.
    """
    objective, direction = run.facts["objective"], run.facts["direction"]
    epochs: dict[str, list[TimedEpoch]] = {}
    for epoch in timed_epochs(run.path, objective):
        epochs.setdefault(epoch.trial_id, []).append(epoch)
    failed = tuple(trial for trial in run.trials if trial.status == FAILED)
    left_out = Counter({FAILED_REASON: len(failed)})
    alive = [trial for trial in run.trials if trial.status != FAILED]
    begun = [trial for trial in alive if trial.trial_id in epochs]
    frequent = Counter(epochs[trial.trial_id][0].images for trial in begun).most_common(1)
    alike = [trial for trial in begun if epochs[trial.trial_id][0].images == frequent[0][0]]
    left_out[OTHER_DATA] = len(begun) - len(alike)
    most = _first_rung(alike, epochs)
    best = max if direction == "max" else min
    observed = []
    for trial in alike:
        first = [epoch for epoch in epochs[trial.trial_id] if epoch.epoch <= most]
        if not first or not (trial.status == COMPLETED or trial.rung > 0 or len(first) == most):
            continue
        observed.append(
            Observation(
                trial.trial_id, trial.values, best(epoch.value for epoch in first), _seconds(trial, first)
            )
        )
    left_out[UNFINISHED] = len(alive) - left_out[OTHER_DATA] - len(observed)
    return Observations(objective, direction, most, tuple(observed), failed, dict(+left_out))


def _first_rung(trials: Sequence[TrialRecord], epochs: dict[str, list[TimedEpoch]]) -> int:
    """Epochs at the end of the shortest first rung that was finished; a trial may stop before its end."""
    ends: dict[int, int] = {}
    for trial in trials:
        if trial.status == COMPLETED or trial.rung > 0:
            last = max((epoch.epoch for epoch in epochs[trial.trial_id] if epoch.rung == 0), default=0)
            ends[trial.bracket] = max(ends.get(trial.bracket, 0), last)
    return min((end for end in ends.values() if end), default=0)


def _seconds(trial: TrialRecord, first: Sequence[TimedEpoch]) -> float:
    timed = [epoch.duration_s for epoch in first if epoch.duration_s is not None]
    return statistics.median(timed) if timed else trial.duration_s / max(trial.epochs, 1)
