"""The epochs of a run as they came: one metric, what each epoch took, and when in the run it ended."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tuner.results.schema import STORE_FILE
from tuner.results.store import Store
from tuner.results.store_file import damaged

_QUERY = """
SELECT trial_id, epoch, epochs.rung, value, duration_s, images, spent_s
FROM epochs LEFT JOIN costs USING (trial_id, epoch)
WHERE metric = ? AND value IS NOT NULL ORDER BY length(trial_id), trial_id, epoch
"""


@dataclass(frozen=True)
class TimedEpoch:
    """A metric after one epoch, from 1; runs begun too early to record them have no times and images.

    `duration_s` is training and validation, `spent_s` what the run had taken by then.
    """

    trial_id: str
    epoch: int
    rung: int
    value: float
    duration_s: float | None
    images: int | None
    spent_s: float | None


def timed_epochs(run_path: Path, metric: str) -> list[TimedEpoch]:
    """Return the epochs of all trials that have the metric, trial by trial.

    Raises:
        StorageError: the store is missing or damaged.
    """
    path = run_path / STORE_FILE
    Store(path).close()  # brings a store of an older version up to date
    mode = "mode=ro" if os.access(run_path, os.W_OK) else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)) as connection:
            return [TimedEpoch(*row) for row in connection.execute(_QUERY, (metric,))]
    except sqlite3.DatabaseError as error:
        raise damaged(path, str(error)) from None
