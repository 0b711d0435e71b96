"""The robustness of a run's winner, kept in the folder of the run for its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tuner.errors import StorageError
from tuner.evaluation.evaluated_predictions import Judged
from tuner.evaluation.labelled_images import LabelledImages
from tuner.evaluation.robustness import write_robustness
from tuner.models.loading import ModelFacts
from tuner.results.query import RunView, open_run
from tuner.results.schema import BEST, EVALUATION_FILE, MODEL_FILE, ROBUSTNESS_FILE, TrialRecord


def keep_robustness(
    facts: ModelFacts, images: LabelledImages, judged: Judged, found: dict[str, Any]
) -> Path | None:
    """Write what `robustness` found into the run of the model, in the place of an earlier one.

    Only what is measured of a run's winner on its whole own test split, as its evaluation was, is kept.

    Returns:
        The folder that the files are in; None where nothing is to be kept.

    Raises:
        StorageError: a file cannot be written.
    """
    if facts.run_path is None or not _is_own_test(images, judged, facts):
        return None
    run = open_run(facts.run_path)
    trial = _tested(run)
    if trial is None or facts.path != run.path / BEST / MODEL_FILE:
        return None
    title = f"{run.run_id}: {images.why}"
    write_robustness(run.path / BEST, {**_mark(trial), **found}, title)
    return run.path / BEST


def read_robustness(run: RunView) -> dict[str, Any] | None:
    """Return what is kept of the run's winner; None where nothing is, or it is of an earlier winner.

    Raises:
        StorageError: the file is damaged.
    """
    path, trial = run.path / BEST / ROBUSTNESS_FILE, _tested(run)
    if trial is None or not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        marked = {name: found[name] for name in _mark(trial)}
        _ = [level["accuracy"] for corruption in found["corruptions"] for level in corruption["levels"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"'{path}' is damaged: {error}. Delete it; the report does without.") from None
    return found if marked == _mark(trial) else None


def _is_own_test(images: LabelledImages, judged: Judged, facts: ModelFacts) -> bool:
    if not images.own:
        return False
    test, labels = images.dataset.splits["test"], images.dataset.labels
    return (
        np.array_equal(images.indices, test)
        and np.array_equal(images.labels, labels[test])
        and judged.positive == facts.positive_class
    )


def _tested(run: RunView) -> TrialRecord | None:
    """The trial that the evaluation of the run is of."""
    path = run.path / BEST / EVALUATION_FILE
    tested = json.loads(path.read_text("utf-8")).get("trial_id") if path.is_file() else None
    return next((trial for trial in run.trials if trial.trial_id == tested), None)


def _mark(trial: TrialRecord) -> dict[str, Any]:
    """By what the model is known again: after `tuner resume` a run may have another winner."""
    return {"trial_id": trial.trial_id, "best_epoch": trial.best_epoch}
