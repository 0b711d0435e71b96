"""Runs with all that a report shows, made without training."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from tests.results.records import DATA, FACTS, epoch, record
from tuner.config import make_config, to_toml
from tuner.evaluation.corruptions import CORRUPTIONS
from tuner.evaluation.evaluated_predictions import EvaluatedPredictions, compare_predictions
from tuner.evaluation.gallery import MakeHeatmaps, write_gallery
from tuner.evaluation.predictions import Predictions, read_predictions, write_predictions
from tuner.results.checked_json import write_checked
from tuner.results.evaluation_file import write_evaluation
from tuner.results.query import RunView, open_run
from tuner.results.schema import (
    BEST,
    CONFIG_FILE,
    ENSEMBLE_PREFIX,
    GALLERY_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    RETRAINED,
    ROBUSTNESS_FILE,
    STORE_FILE,
    SUMMARY_FILE,
)
from tuner.results.store import Store
from tuner.results.store_file import connect
from tuner.statistics.metrics import evaluate
from tuner.statistics.spread import main_figures, spread
from tuner.statistics.thresholds import Chosen
from tuner.training.heatmaps import GRAD_CAM, Heatmaps

CLASSES = ("FAKE", "REAL")
RUNG_ENDS = (1, 3, 9)


class Pixels:
    """The part of a data set that a gallery takes."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, (count + 3, 8, 8, 3), dtype=np.uint8)
        self.splits = {"test": np.arange(3, count + 3)}


def facts_of_a_run() -> dict[str, Any]:
    """The facts that every run has in its store."""
    return {
        **FACTS,
        "data": {**DATA, "source": "/home/somebody/tiny"},
        "spent_s": 600.0,
    }


def searched_run(path: Path, trials: int = 12, failed: int = 0, **facts: Any) -> RunView:
    """Hyperband of three rungs: a third goes on each time; the score grows with `units` and with epochs."""
    path.mkdir(parents=True)
    given = {**facts_of_a_run(), "run_id": path.name}
    (path / CONFIG_FILE).write_text(to_toml(make_config({})), "utf-8")
    store = Store.create(path / STORE_FILE, {**given, **facts})
    rng = np.random.default_rng(0)
    for number in range(1, trials + failed + 1):
        trial_id = f"{number:04d}"
        values: dict[str, Any] = {
            "units": int(rng.integers(1, 65)),
            "optimizer": ("adam", "sgd")[number % 2],
            "learning_rate": float(10 ** rng.uniform(-5, -1)),
            "depth": 2,
        }
        if values["optimizer"] == "sgd":
            values["momentum"] = 0.9 if number % 4 == 1 else 0.5
        if number > trials:
            store.start_rung(record(trial_id, values=values))
            store.fail(trial_id, 0, "oom: 4 GiB are not enough")
            continue
        last = 2 if number % 9 == 0 else 1 if number % 3 == 0 else 0
        for rung in range(last + 1):
            store.start_rung(record(trial_id, values=values, rung=rung))
            for e in range(RUNG_ENDS[rung - 1] + 1 if rung else 1, RUNG_ENDS[rung] + 1):
                score = 0.5 + values["units"] / 300 + 0.02 * e
                epoch(store, trial_id, rung, e, {"val_accuracy": score}, score)
            store.finish_rung(trial_id, rung, "COMPLETED", 10 * number, 2.0)
    store.close()
    return open_run(path)


def multiply(run: RunView, times: int) -> RunView:
    """Add copies of all trials to a run, so that there are so many times as many."""
    count = len(run.trials)
    with closing(connect(run.path / STORE_FILE)) as store, store:
        for table in ("trials", "rungs", "epochs", "costs"):
            rows = store.execute(f"SELECT * FROM {table}").fetchall()
            marks = ", ".join("?" * len(rows[0]))
            for copy in range(1, times):
                copies = [(f"{int(row[0]) + copy * count:04d}", *row[1:]) for row in rows]
                store.executemany(f"INSERT INTO {table} VALUES ({marks})", copies)
    return open_run(run.path)


def predictions(classes: tuple[str, ...] = CLASSES, count: int = 90) -> Predictions:
    """Of a model that is right most of the time, and not very sure."""
    rng = np.random.default_rng(1)
    labels = np.arange(count) % len(classes)
    logits = rng.normal(0, 1, (count, len(classes))) + 1.5 * np.eye(len(classes))[labels]
    raised = np.exp(logits)
    paths = tuple(f"test/{i:03d}.png" for i in range(count))
    return Predictions(paths, labels, classes, raised / raised.sum(axis=1, keepdims=True))


def halves(indices: np.ndarray, _: np.ndarray, method: str = GRAD_CAM) -> Heatmaps:
    """Maps of a model that looks at everything alike."""
    return Heatmaps(np.full((len(indices), 2, 2), 0.5), method)


def reported_run(
    path: Path,
    trials: int = 12,
    failed: int = 0,
    classes: tuple[str, ...] = CLASSES,
    heat: MakeHeatmaps | None = halves,
    **facts: Any,
) -> RunView:
    """A searched run whose best trial was tested, with a gallery."""
    run = searched_run(path, trials, failed, **facts)
    made = predictions(classes)
    positive = classes[0] if len(classes) == 2 else None
    chosen = Chosen(0.45 if positive else None, 1.5)
    figures = evaluate(made.labels, made.probabilities, classes, positive, chosen)
    best = run.path / BEST
    best.mkdir()
    evaluation = {"trial_id": run.ranked[0].trial_id, "split": "test", **figures, "prediction_s": 0.5}
    write_predictions(best / PREDICTIONS_FILE, made)
    pixels: Any = Pixels(len(made.paths))
    write_gallery(best / GALLERY_FILE, pixels, "test", made, heat)
    write_evaluation(best, evaluation)
    return run


def measure_robustness(run: RunView, **changes: Any) -> dict[str, Any]:
    """Leave what measuring the winner's robustness leaves: the stronger a corruption, the more is lost."""
    evaluation = run.evaluation or {}
    tested = next(trial for trial in run.trials if trial.trial_id == evaluation["trial_id"])

    def level(strength: float | None, lost: float) -> dict[str, Any]:
        accuracy, area = evaluation["accuracy"] - lost, evaluation.get("auroc")
        return {
            "strength": strength,
            "accuracy": accuracy,
            "accuracy_interval_95": [accuracy - 0.04, accuracy + 0.04],
            "auroc": None if area is None else area - lost / 2,
            "auroc_interval_95": None if area is None else [area - lost / 2 - 0.02, area - lost / 2 + 0.02],
        }

    found = {
        "trial_id": tested.trial_id,
        "best_epoch": tested.best_epoch,
        "images": evaluation["images"],
        "positive_class": evaluation.get("positive_class"),
        "corruptions": [
            {
                "name": each.name,
                "meaning": each.meaning,
                "levels": [
                    level(each.untouched, 0.0),
                    *(level(strength, 0.04 * i) for i, strength in enumerate(each.strengths, start=1)),
                ],
            }
            for each in CORRUPTIONS
        ],
        **changes,
    }
    write_checked(run.path / BEST / ROBUSTNESS_FILE, found)
    return found


def retrain(run: RunView, seeds: int = 3, trials: int = 1) -> dict[str, Any]:
    """Leave what training the best trials anew leaves: each seed a little better than the one before."""
    evaluation = run.evaluation or {}
    found = []
    for trial in run.ranked[:trials]:
        figures = [main_figures(evaluation) for _ in range(seeds)]
        for seed, each in enumerate(figures):
            each["accuracy"] = evaluation["accuracy"] + 0.01 * seed
        numbered = [{"seed": seed, "folder": "", **each} for seed, each in enumerate(figures)]
        found.append({"trial_id": trial.trial_id, "epochs": 7, "seeds": numbered, "figures": spread(figures)})
    summary = {"trained_on": {"images": 1234}, "trials": found}
    (run.path / RETRAINED).mkdir()
    write_checked(run.path / RETRAINED / SUMMARY_FILE, summary)
    return summary


def average(run: RunView, count: int) -> dict[str, Any]:
    """Leave what averaging the best trials leaves; the mean is as good as the best alone."""
    made = read_predictions(run.path / BEST / PREDICTIONS_FILE)
    evaluation = run.evaluation or {}
    members = [
        {"trial_id": trial.trial_id, "best_epoch": trial.best_epoch, "score": trial.score}
        for trial in run.ranked[:count]
    ]
    comparison = compare_predictions("the ensemble", EvaluatedPredictions(made, None), "the best", made.right)
    conclusion = f"The mean of {count} cannot be told from <the best>."
    found = {**evaluation, "members": members, "comparison": {**comparison, "conclusion": conclusion}}
    folder = run.path / f"{ENSEMBLE_PREFIX}{count}"
    folder.mkdir()
    (folder / MODEL_FILE).write_bytes(b"")
    write_evaluation(folder, found)
    return found
