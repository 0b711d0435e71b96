"""A finished model put into its folder of a run, with what it predicts."""

from __future__ import annotations

from pathlib import Path

from tuner.data.dataset import Dataset
from tuner.evaluation.evaluated_predictions import Judged
from tuner.evaluation.predictions import split_predictions, write_predictions
from tuner.files import replace_bytes
from tuner.results.schema import MODEL_FILE, PREDICTIONS_FILE, VALIDATION_PREDICTIONS_FILE
from tuner.statistics.thresholds import choose_on_validation
from tuner.workers.protocol import FinishModel, Member, ModelDone


def finish_request(*members: Member) -> FinishModel:
    """Return what to ask a worker for, so that its answer can be kept: one model, or the mean of several."""
    return FinishModel(members, "test", ("validation",))


def keep_finished(folder: Path, answer: ModelDone, dataset: Dataset) -> Judged:
    """Write the model and its predictions, and return those of the test split with what was chosen for it.

    Threshold and temperature are chosen on the validation split.

    Args:
        answer: To what `finish_request` asks.

    Raises:
        StorageError: a file cannot be written.
    """
    replace_bytes(folder / MODEL_FILE, answer.model)
    names, positive = dataset.class_names, dataset.positive_class
    validation = split_predictions(dataset, "validation", answer.others["validation"])
    test = split_predictions(dataset, "test", answer.probabilities)
    write_predictions(folder / PREDICTIONS_FILE, test)
    write_predictions(folder / VALIDATION_PREDICTIONS_FILE, validation)
    chosen = choose_on_validation(
        validation.labels, validation.probabilities, None if positive is None else names.index(positive)
    )
    return Judged(test, positive, chosen)
