"""What the trials of a run showed after the same training: the score, and the seconds of an epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.results.query import RunView
from tuner.results.schema import COMPLETED, FAILED, TrialRecord
from tuner.results.timeline import timed_epochs

if TYPE_CHECKING:
    import pandas as pd

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
    epoch saw the most frequent part are compared. Seconds are those of training and validation.

    Raises:
        StorageError: the store of the run is missing or damaged.
    """
    objective, direction = run.facts["objective"], run.facts["direction"]
    epochs = timed_epochs(run.path, objective)
    part = epochs.groupby("trial_id")["images"].first()
    failed = tuple(trial for trial in run.trials if trial.status == FAILED)
    alive = [trial for trial in run.trials if trial.status != FAILED]
    begun = [trial for trial in alive if trial.trial_id in part.index]
    frequent = Counter(part[trial.trial_id] for trial in begun).most_common(1)
    alike = [trial for trial in begun if part[trial.trial_id] == frequent[0][0]]
    most = _first_rung(alike, epochs)
    first = epochs[epochs["epoch"] <= most].groupby("trial_id")
    scores = first["value"].max() if direction == "max" else first["value"].min()
    seconds, trained = first["duration_s"].median(), first.size()
    observed = tuple(
        Observation(name, trial.values, float(scores[name]), float(seconds[name]))
        for trial in alike
        if (name := trial.trial_id) in trained.index and (_is_over(trial) or trained[name] == most)
    )
    left_out = {
        FAILED_REASON: len(failed),
        OTHER_DATA: len(begun) - len(alike),
        UNFINISHED: len(alive) - (len(begun) - len(alike)) - len(observed),
    }
    counted = {reason: number for reason, number in left_out.items() if number}
    return Observations(objective, direction, most, observed, failed, counted)


def _is_over(trial: TrialRecord) -> bool:
    """True where the first rung of a trial is over."""
    return trial.status == COMPLETED or trial.rung > 0


def _first_rung(trials: Sequence[TrialRecord], epochs: pd.DataFrame) -> int:
    """Return the epochs at the end of the shortest first rung that was finished, 0 where none was.

    A trial may stop before that end: of each bracket the longest counts.
    """
    last = epochs[epochs["rung"] == 0].groupby("trial_id")["epoch"].max()
    ends: dict[int, int] = {}
    for trial in trials:
        if _is_over(trial):
            ends[trial.bracket] = max(ends.get(trial.bracket, 0), int(last.get(trial.trial_id, 0)))
    return min((end for end in ends.values() if end), default=0)
