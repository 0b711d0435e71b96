"""One metric of a run over its epochs, with the cost of each epoch and its time in the run."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tuner.results.schema import STORE_FILE
from tuner.results.store import Store

_QUERY = """
SELECT trial_id, epoch, epochs.rung, value, duration_s, images, spent_s
FROM epochs LEFT JOIN costs USING (trial_id, epoch)
WHERE metric = ? AND value IS NOT NULL ORDER BY length(trial_id), trial_id, epoch
"""


@dataclass(frozen=True)
class TimedEpoch:
    """A metric after one epoch, counted from 1.

    `duration_s` is the time of training and validation, `spent_s` that of the run until then.
    """

    trial_id: str
    epoch: int
    rung: int
    value: float
    duration_s: float | None
    images: int | None
    spent_s: float | None


def timed_epochs(run_path: Path, metric: str) -> list[TimedEpoch]:
    """Return the epochs of all trials with the metric, trial by trial.

    Raises:
        StorageError: the store is missing or damaged.
    """
    with closing(Store(run_path / STORE_FILE)) as store:
        return [TimedEpoch(*row) for row in store.rows(_QUERY, (metric,))]
