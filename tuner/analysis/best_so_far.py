"""The best score of a search so far, by the trials that it had begun and by the seconds that it had taken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tuner.results.query import RunView
from tuner.results.schema import FAILED
from tuner.results.timeline import timed_epochs

if TYPE_CHECKING:
    import pandas as pd


def best_so_far(run: RunView) -> pd.DataFrame:
    """Return a row for each epoch that ended, in the order of time: `trials` begun, `seconds`, `score`.

    Trials that failed count as begun, and their scores do not.

    Raises:
        StorageError: the store of the run is missing or damaged.
    """
    epochs = timed_epochs(run.path, run.facts["objective"]).sort_values("spent_s", kind="stable")
    failed = [trial.trial_id for trial in run.trials if trial.status == FAILED]
    scores = epochs["value"].mask(epochs["trial_id"].isin(failed))
    best = (scores.cummax() if run.facts["direction"] == "max" else scores.cummin()).ffill()
    begun = (~epochs["trial_id"].duplicated()).cumsum()
    return epochs.assign(trials=begun, seconds=epochs["spent_s"], score=best).dropna(subset="score")[
        ["trials", "seconds", "score"]
    ]


def score_after(steps: pd.DataFrame, trials: float = math.inf, seconds: float = math.inf) -> float | None:
    """Return the best score within so many trials and seconds, None where there is none yet."""
    found = steps[(steps["trials"] <= trials) & (steps["seconds"] <= seconds)]
    return None if found.empty else float(found["score"].iloc[-1])


def halvings(most: float, count: int) -> list[float]:
    """Return `most`, its half, its quarter, ..., in ascending order."""
    return [most / 2**i for i in reversed(range(count))]
