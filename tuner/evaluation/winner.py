"""The one look at the test split: the winner's model, predictions and figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner.data.dataset import Dataset
from tuner.evaluation.finished_model import finish_model
from tuner.evaluation.gallery import write_gallery
from tuner.evaluation.plot_confusion import write_confusion_png
from tuner.evaluation.plot_curves import write_curves_png
from tuner.models.trial_weights import best_epoch
from tuner.results.evaluation_file import write_evaluation
from tuner.results.query import RunView, trial_history, winner
from tuner.results.schema import (
    BEST,
    CONFUSION_FILE,
    CURVES_FILE,
    GALLERY_FILE,
    HYPERPARAMETERS_FILE,
)
from tuner.results.tables import write_json
from tuner.training.heatmaps import Heatmaps
from tuner.workers.protocol import Explain, Explained, Pool


def evaluate_winner(run: RunView, dataset: Dataset, pool: Pool) -> dict[str, Any]:
    """Fill best/ for the trial with the best validation score and return what evaluation.json holds.

    Threshold and temperature are chosen on the validation split; the test split is only measured.

    Raises:
        TunerError: no trial has a score, or the model cannot be restored.
    """
    trial = winner(run)
    best = run.path / BEST
    member = best_epoch(run, trial)
    failure = f"the best model, trial {trial.trial_id}, cannot be restored"
    judged, figures = finish_model(best, [member], dataset, pool, failure)
    evaluation = {"run_id": run.run_id, "trial_id": trial.trial_id, **figures}
    write_json(best / HYPERPARAMETERS_FILE, trial.values)
    write_confusion_png(
        best / CONFUSION_FILE, evaluation, f"{run.facts['dataset']} test split, trial {trial.trial_id}"
    )
    write_curves_png(
        best / CURVES_FILE,
        trial_history(run, trial.trial_id),
        run.facts["objective"],
        trial.best_epoch or 1,
        f"{run.facts['dataset']}, trial {trial.trial_id}",
    )

    def heatmaps(indices: np.ndarray, classes: np.ndarray) -> Heatmaps | None:
        # A gallery without maps is better than a search that fails in the end.
        explained = pool.ask(Explain(member, indices, classes))
        return explained.heat if isinstance(explained, Explained) else None

    write_gallery(best / GALLERY_FILE, dataset, "test", judged.predictions, heatmaps)
    write_evaluation(best, evaluation)
    return evaluation
