"""One metric of a run over its epochs, with the cost of each epoch and its time in the run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.results.schema import STORE_FILE
from tuner.results.store import Store

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("trial_id", "epoch", "rung", "value", "duration_s", "images", "spent_s")
_QUERY = """
SELECT trial_id, epoch, epochs.rung, value, duration_s, images, spent_s
FROM epochs JOIN costs USING (trial_id, epoch)
WHERE metric = ? AND value IS NOT NULL ORDER BY length(trial_id), trial_id, epoch
"""


def timed_epochs(run_path: Path, metric: str) -> pd.DataFrame:
    """Return one row an epoch with a finite value of the metric, trial by trial.

    Columns: `trial_id`, `epoch` (from 1), `rung`, `value`, `duration_s` of training and validation, `images`
    trained on, and `spent_s`, the time that the run had taken by the end of the epoch.

    Raises:
        StorageError: the store is missing or damaged.
    """
    import pandas as pd

    with closing(Store(run_path / STORE_FILE)) as store:
        frame = pd.DataFrame(store.rows(_QUERY, (metric,), ("epochs", "costs")), columns=list(_COLUMNS))
    return frame.astype({"trial_id": "str", **dict.fromkeys(("value", "duration_s", "spent_s"), "float64")})
