"""The evaluation.json of a model: its figures, and the checksums of the files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuner.results.checked_json import damaged_file, read_checked, write_checked
from tuner.results.schema import (
    CONFUSION_TABLE,
    EVALUATION_FILE,
    GALLERY_FILE,
    HYPERPARAMETERS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    VALIDATION_PREDICTIONS_FILE,
)
from tuner.results.stored_values import first_fault

_DESCRIBED = (
    MODEL_FILE,
    PREDICTIONS_FILE,
    VALIDATION_PREDICTIONS_FILE,
    CONFUSION_TABLE,
    HYPERPARAMETERS_FILE,
    GALLERY_FILE,
)
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Interval = Annotated[list[_Number], Field(min_length=2, max_length=2)]
_TrialId = Annotated[str, Field(pattern="^[0-9]{1,9}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _OfClass(_Strict):
    precision: _Number
    recall: _Number | None
    f1: _Number | None
    images: _Count


class _Decisions(_Strict):
    """Figures of one predicted class for each image."""

    correct: _Count
    accuracy: _Number
    accuracy_interval_95: _Interval
    balanced_accuracy: _Number
    class_names: Annotated[list[str], Field(min_length=2)]
    confusion_matrix: list[list[_Count]]
    classes: dict[str, _OfClass]
    macro: dict[str, Any]


class _Bin(_Strict):
    low: _Number
    high: _Number
    images: _Count
    confidence: _Number
    accuracy: _Number
    accuracy_interval_95: _Interval


class _Probabilities(_Strict):
    log_loss: _Number
    brier: _Number
    ece: _Number
    reliability: list[_Bin]


class _AtThreshold(_Decisions):
    threshold: _Number
    source: str


class _Calibrated(_Probabilities):
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Member(_Strict):
    trial_id: _TrialId


class _Evaluation(_Decisions, _Probabilities):
    images: Annotated[int, Field(ge=1, lt=2**63)]
    verdict: str | None
    run_id: str = ""
    trial_id: _TrialId | None = None
    split: str = ""
    positive_class: str = ""
    auroc: _Number | None = None
    auroc_interval_95: _Interval | None = None
    average_precision: _Number | None = None
    eer: _Number | None = None
    tpr_at_fpr: list[dict[str, _Number | None]] | None = None
    one_vs_rest: dict[str, dict[str, Any]] = {}
    most_confused: list[Any] = []
    at_threshold: _AtThreshold | None = None
    calibrated: _Calibrated | None = None
    without_seen: dict[str, Any] = {}
    prediction_s: _Number | None = None
    members: list[_Member] = []
    comparison: dict[str, Any] = {}
    seed: _Count = 0
    epochs: _Count = 0
    planned_epochs: _Count = 0
    trained_on: dict[str, Any] = {}
    groups: Any = None


def write_evaluation(folder: Path, evaluation: dict[str, Any]) -> None:
    """Replace the evaluation of a model. It comes last of the files in its folder, which it describes.

    Raises:
        StorageError: the file cannot be written.
    """
    write_checked(folder / EVALUATION_FILE, evaluation, _DESCRIBED)


def read_evaluation(folder: Path) -> dict[str, Any] | None:
    """Return the evaluation of the model in a folder, None where there is none.

    Raises:
        StorageError: the file is damaged, or holds something else.
    """
    path = folder / EVALUATION_FILE
    if not path.is_file():
        return None
    found = read_checked(path)
    try:
        _Evaluation.model_validate(found)
    except ValidationError as error:
        name, why = first_fault(error)
        raise damaged_file(path, f"'{name}' is not that of an evaluation ({why})") from None
    return found
