"""Runs as they are after their end, made without training."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from tests.results.records import DATA, FACTS, epoch, record
from tuner.config import make_config
from tuner.results.evaluation_file import write_evaluation
from tuner.results.query import RunView, open_run
from tuner.results.schema import BEST, MODEL_FILE, PREDICTIONS_FILE, STORE_FILE
from tuner.results.store import Store
from tuner.statistics.metrics import evaluate

TIMINGS = {"preparation_s": 1.5, "loading_s": 4.0}
PATHS = ("a.png", "b.png", "c.png")
MODEL_BYTES = 3 * 2**18  # 0.75 MiB


def unfinished_run(path: Path, scores: tuple[float, ...] = (0.5, 0.75), **facts: Any) -> RunView:
    """A run with a trial for each score, three seconds each and 10 parameters more than the one before."""
    path.mkdir(parents=True)
    given = {
        **FACTS,
        "run_id": path.name,
        "status": "interrupted",
        "space": "sequential",
        "dataset": "tiny",
        "device": "CPU, 2 cores",
        "seed": 0,
        "objective": "val_accuracy",
        "algorithm": "hyperband",
        "config": make_config({}).model_dump(mode="json"),
        "hyperparameters": {"space": []},
        "data": DATA,
        "timings": TIMINGS,
    }
    store = Store.create(path / STORE_FILE, {**given, **facts})
    for number, score in enumerate(scores, start=1):
        trial_id = f"{number:04d}"
        store.start_rung(record(trial_id))
        epoch(store, trial_id, 0, 1, {"val_accuracy": score}, score)
        store.finish_rung(trial_id, 0, "COMPLETED", 10 * number, 2.0)
    store.close()
    return open_run(path)


def finished_run(
    path: Path,
    evaluation: dict[str, Any] | None = None,
    tested: tuple[str, ...] = PATHS,
    predicted: tuple[str, ...] | None = None,
    **facts: Any,
) -> RunView:
    """A run whose trial 0002 was evaluated: 200 images, 90 % right, all REAL."""
    unfinished_run(path, **{"status": "completed", **facts})
    labels = np.ones(200, np.int64)
    probabilities = np.tile([0.25, 0.75], (200, 1))
    figures = {
        **evaluate(labels, probabilities, ("FAKE", "REAL"), "FAKE"),
        "trial_id": "0002",
        "images": 200,
        "accuracy": 0.9,
        "accuracy_interval_95": [0.85, 0.93],
        "auroc": 0.95,
        "prediction_s": 0.5,
    }
    best = path / BEST
    best.mkdir()
    (best / MODEL_FILE).write_bytes(bytes(MODEL_BYTES))
    with (best / PREDICTIONS_FILE).open("w", newline="") as file:
        rows = (
            (name, "REAL", said)
            for name, said in zip(tested, predicted or ["REAL"] * len(tested), strict=True)
        )
        csv.writer(file).writerows([("path", "label", "predicted"), *rows])
    write_evaluation(best, {**figures, **(evaluation or {})})
    return open_run(path)
