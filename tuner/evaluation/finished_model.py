"""A finished model and its predictions in a folder of the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuner.data.dataset import Dataset
from tuner.errors import StorageError, TunerError
from tuner.evaluation.evaluated_predictions import EvaluatedPredictions
from tuner.evaluation.plot_confusion import write_confusion_csv
from tuner.evaluation.predictions import split_predictions, write_predictions
from tuner.files import replace_bytes
from tuner.results.schema import (
    CONFUSION_TABLE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    VALIDATION_PREDICTIONS_FILE,
)
from tuner.statistics.thresholds import choose_on_validation
from tuner.workers.protocol import Failure, FinishModel, Halt, Member, ModelDone, Pool


def finish_model(
    folder: Path, members: Sequence[Member], dataset: Dataset, pool: Pool, failure: str
) -> tuple[EvaluatedPredictions, dict[str, Any]]:
    """Write a model, its predictions and confusion matrix; return predictions and figures of the test split.

    Threshold and temperature are chosen on the validation split; the test split is only measured.

    Args:
        members: The trial whose model it is, or the trials whose mean it is.
        failure: First words of the error where the model cannot be restored.

    Raises:
        TunerError: the model cannot be restored.
        StorageError: a file cannot be written.
    """
    answer = pool.ask(FinishModel(tuple(members), "test", ("validation",)))
    if isinstance(answer, Halt):
        raise StorageError(answer.message)
    if isinstance(answer, Failure):
        raise TunerError(f"{failure}: {answer.message.rstrip('.')}.")
    assert isinstance(answer, ModelDone)
    replace_bytes(folder / MODEL_FILE, answer.model)
    names, positive = dataset.class_names, dataset.positive_class
    validation = split_predictions(dataset, "validation", answer.others["validation"])
    test = split_predictions(dataset, "test", answer.probabilities)
    write_predictions(folder / PREDICTIONS_FILE, test)
    write_predictions(folder / VALIDATION_PREDICTIONS_FILE, validation)
    chosen = choose_on_validation(
        validation.labels, validation.probabilities, None if positive is None else names.index(positive)
    )
    evaluated = EvaluatedPredictions(test, positive, chosen)
    evaluation = evaluated.evaluation()
    write_confusion_csv(folder / CONFUSION_TABLE, evaluation)
    return evaluated, {"split": "test", **evaluation, "prediction_s": answer.prediction_s}
