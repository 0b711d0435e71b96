"""Records to store and to write."""

from typing import Any

from tuner.results.schema import COMPLETED, TrialRecord
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone

FACTS = {
    "run_id": "r",
    "started_at": "2026-01-01T00:00:00+00:00",
    "direction": "max",
    "hyperparameters": {"space": []},
}


def record(trial_id: str = "0001", **facts: Any) -> TrialRecord:
    given = {
        "values": {"units": 32},
        "status": COMPLETED,
        "bracket": 0,
        "rung": 0,
        "seed": 7,
        "batch_size": 64,
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    return TrialRecord(trial_id=trial_id, **{**given, **facts})


def epoch(
    store: Store, trial_id: str, rung: int, number: int, metrics: dict[str, float], best: float | None
) -> None:
    """Record an epoch of one second and 50 images."""
    done = EpochDone(trial_id, rung, number, Epoch(metrics, 1.0, 0.5, 50))
    store.record_epoch(done, best, {"spent_s": 9.0})
