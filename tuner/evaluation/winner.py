"""The one look at the test split: the winner's model, predictions and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.dataset import Dataset
from tuner.errors import TunerError
from tuner.evaluation.confusion import write_confusion_png
from tuner.evaluation.curves import write_curves_png
from tuner.evaluation.metrics import evaluate, predicted_classes
from tuner.files import replace_text
from tuner.results.query import RunView, winner
from tuner.results.schema import (
    BEST,
    CHECKPOINTS,
    CONFUSION_FILE,
    CURVES_FILE,
    EVALUATION_FILE,
    HYPERPARAMETERS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    STORE_FILE,
)
from tuner.results.store import Store
from tuner.results.tables import csv_text, write_json
from tuner.training.checkpoint import History
from tuner.workers.protocol import Failure, FinishWinner, Pool, WinnerDone


def evaluate_winner(run: RunView, dataset: Dataset, pool: Pool) -> dict[str, Any]:
    """Fill best/ for the trial with the best validation score and return what evaluation.json holds.

    Raises:
        TunerError: no trial has a score, or the model cannot be restored.
    """
    trial = winner(run)
    best = run.path / BEST
    request = FinishWinner(trial.values, run.path / CHECKPOINTS / trial.trial_id, best / MODEL_FILE, "test")
    answer = pool.ask(request)
    if isinstance(answer, Failure):
        raise TunerError(f"the best model, trial {trial.trial_id}, cannot be restored: {answer.message}.")
    assert isinstance(answer, WinnerDone)
    indices = dataset.splits["test"]
    labels = dataset.labels[indices]
    figures = evaluate(labels, answer.probabilities, dataset.class_names, dataset.positive_class)
    evaluation = {
        "run_id": run.run_id,
        "trial_id": trial.trial_id,
        "split": "test",
        **figures,
        "prediction_s": answer.prediction_s,
    }
    write_json(best / HYPERPARAMETERS_FILE, trial.values)
    _write_predictions(best / PREDICTIONS_FILE, dataset, indices, answer.probabilities)
    write_confusion_png(
        best / CONFUSION_FILE, evaluation, f"{run.facts['dataset']} test split, trial {trial.trial_id}"
    )
    write_curves_png(
        best / CURVES_FILE,
        _history(run, trial.trial_id),
        run.facts["objective"],
        trial.best_epoch or 1,
        f"{run.facts['dataset']}, trial {trial.trial_id}",
    )
    write_json(best / EVALUATION_FILE, evaluation)
    return evaluation


def _history(run: RunView, trial_id: str) -> History:
    store = Store(run.path / STORE_FILE)
    try:
        return store.history(trial_id)
    finally:
        store.close()


def _write_predictions(path: Path, dataset: Dataset, indices: np.ndarray, probabilities: np.ndarray) -> None:
    names = dataset.class_names
    predicted = predicted_classes(probabilities)
    columns = ["path", "label", "predicted", *(f"p.{name}" for name in names)]
    rows = [
        {
            "path": dataset.paths[index],
            "label": names[dataset.labels[index]],
            "predicted": names[predicted[row]],
            **{f"p.{name}": float(probabilities[row, i]) for i, name in enumerate(names)},
        }
        for row, index in enumerate(indices)
    ]
    replace_text(path, csv_text(columns, rows))
