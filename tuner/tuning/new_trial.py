"""The record of a trial that begins."""

from __future__ import annotations

from datetime import UTC, datetime

from tuner.results.schema import RUNNING, TrialRecord
from tuner.spaces.configurations import Values, key
from tuner.training.seeds import derive_seed
from tuner.tuning.tasks import Tasks


def new_trial(trial_id: str, values: Values, seed: int, tasks: Tasks) -> TrialRecord:
    """Return the record of a trial of a search with this seed, with the values that the Oracle gave it."""
    effective = {name: value for name, value in values.items() if not name.startswith("tuner/")}
    return TrialRecord(
        trial_id=trial_id,
        values=effective,
        status=RUNNING,
        bracket=values["tuner/bracket"],
        rung=0,
        # The same configuration comes out the same, whichever trial it is.
        seed=derive_seed(seed, "trial", key(effective)),
        batch_size=tasks.batch_size(effective),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
