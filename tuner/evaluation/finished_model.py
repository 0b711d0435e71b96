"""A finished model and its predictions in a folder of the run."""

from __future__ import annotations

from pathlib import Path

from tuner.data.dataset import Dataset
from tuner.evaluation.evaluated_predictions import EvaluatedPredictions
from tuner.evaluation.predictions import split_predictions, write_predictions
from tuner.files import replace_bytes
from tuner.results.schema import MODEL_FILE, PREDICTIONS_FILE, VALIDATION_PREDICTIONS_FILE
from tuner.statistics.thresholds import choose_on_validation
from tuner.workers.protocol import FinishModel, Member, ModelDone


def finish_request(*members: Member) -> FinishModel:
    """Return the request for one model, or the mean of several, with predictions on test and validation."""
    return FinishModel(members, "test", ("validation",))


def keep_finished(folder: Path, answer: ModelDone, dataset: Dataset) -> EvaluatedPredictions:
    """Write a model and its predictions, and return those on the test split.

    Threshold and temperature are chosen on the validation split.

    Args:
        answer: To the request of `finish_request`.

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
    return EvaluatedPredictions(test, positive, chosen)
