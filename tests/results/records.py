"""Records to store and to write."""

from typing import Any

from tuner.config import make_config
from tuner.results.schema import COMPLETED, TrialRecord
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone

DATA = {
    "source": "/data/tiny",
    "fingerprint": "f",
    "class_names": ["FAKE", "REAL"],
    "positive_class": "FAKE",
    "image_shape": [8, 8, 3],
    "pixel_range": {"integer_max": 65535, "float_low": 0.0, "float_high": None},
    "resized": {},
    "counts": {split: {"FAKE": 45, "REAL": 45} for split in ("train", "validation", "test")},
    "skipped": 0,
    "notes": [],
    "seen_test_images": 0,
    "near_test_images": 0,
}
FACTS = {
    "run_id": "r",
    "started_at": "2026-01-01T00:00:00+00:00",
    "space": "sequential",
    "dataset": "tiny",
    "algorithm": "hyperband",
    "objective": "val_accuracy",
    "direction": "max",
    "hyperparameters": {"space": []},
    "default_num_params": 10,
    "initial": [],
    "space_notes": [],
    "training": [],
    "data": DATA,
    "backend": "tensorflow",
    "device": "CPU, 2 cores",
    "versions": {"keras": "3.15.1"},
    "git_commit": None,
    "seed": 0,
    "compute": {"precision": "float32", "xla": False},
    "code": {},
    "conditions": None,
    "config": make_config({}).model_dump(mode="json"),
    "status": "completed",
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
