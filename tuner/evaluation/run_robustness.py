"""robustness.json of a run: `tuner evaluate --robustness` writes it here, the report reads it from here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tuner.errors import StorageError
from tuner.evaluation.labelled_images import LabelledImages
from tuner.evaluation.model_evaluation import ModelEvaluation
from tuner.evaluation.robustness import write_robustness
from tuner.results.checked_json import read_checked
from tuner.results.query import RunView, open_run
from tuner.results.schema import BEST, MODEL_FILE, ROBUSTNESS_FILE, TrialRecord


def write_run_robustness(result: ModelEvaluation) -> Path | None:
    """Write the robustness of a model into the folder of its run, over an earlier one.

    This is done only for the best trial of a run on the whole test split of the run, as in its evaluation.

    Returns:
        The folder of the files; None where none are written.

    Raises:
        StorageError: a file cannot be written.
    """
    model, images, found = result.model, result.images, result.robustness
    if model is None or images is None or found is None or model.run_path is None:
        return None
    if result.predictions.positive != model.positive_class or not _is_own_test(images):
        return None
    run = open_run(model.run_path)
    trial, folder = run.evaluated_trial, run.path / BEST
    if trial is None or model.path != folder / MODEL_FILE:
        return None
    write_robustness(folder, {**_key(trial), **found}, f"{run.run_id}: {images.why}")
    return folder


def read_robustness(run: RunView) -> dict[str, Any] | None:
    """Return the content of robustness.json; None where there is none, or it is of an earlier best trial.

    Raises:
        StorageError: the file is damaged.
    """
    path, trial = run.path / BEST / ROBUSTNESS_FILE, run.evaluated_trial
    if trial is None or not path.is_file():
        return None
    try:
        found = read_checked(path)
        key = {name: found[name] for name in _key(trial)}
        _ = [level["accuracy"] for corruption in found["corruptions"] for level in corruption["levels"]]
    except (KeyError, TypeError) as error:
        raise StorageError(f"'{path}' is damaged: {error}. Delete it; the report does without.") from None
    return found if key == _key(trial) else None


def _is_own_test(images: LabelledImages) -> bool:
    if not images.own:
        return False
    test = images.dataset.splits["test"]
    return np.array_equal(images.indices, test) and np.array_equal(images.labels, images.dataset.labels[test])


def _key(trial: TrialRecord) -> dict[str, Any]:
    """Identifies the model: after `tuner resume` another trial may be the best."""
    return {"trial_id": trial.trial_id, "best_epoch": trial.best_epoch}
