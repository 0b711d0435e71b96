"""A model of a run, and the facts that go with its exports."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.models.loading import trained_on
from tuner.results.query import RunView
from tuner.results.schema import BEST, MODEL_FILE, TrialRecord
from tuner.statistics.metrics import chosen_before
from tuner.statistics.thresholds import Chosen


@dataclass(frozen=True)
class RunModel:
    """The winner of a run, or a model that was made from its trials afterwards."""

    run: RunView
    trials: tuple[TrialRecord, ...]
    """The trial whose configuration it has, or the members of an ensemble, the best first."""
    evaluation: dict[str, Any]
    folder: Path = Path(BEST)
    """Where it lies in the folder of the run."""
    retrained: dict[str, Any] | None = None
    """Images, epochs, seed, and the figures over all seeds; None of weights that the search has made."""

    @property
    def trial(self) -> TrialRecord:
        """The best of its trials."""
        return self.trials[0]

    @property
    def is_ensemble(self) -> bool:
        """Whether it is the mean of several models."""
        return len(self.trials) > 1

    @property
    def path(self) -> Path:
        """Its file."""
        return self.run.path / self.folder / MODEL_FILE


def model_facts(model: RunModel, chosen: Chosen | None = None) -> dict[str, Any]:
    """Return the facts of a model: those that `tuner evaluate` needs of an export, and those for a reader.

    Args:
        chosen: What was chosen on validation; default: what the evaluation says.
    """
    run, evaluation = model.run, model.evaluation
    data = run.facts["data"]
    chosen = chosen or chosen_before(evaluation)
    return {
        "run_id": run.run_id,
        **_origin(model),
        "class_names": data["class_names"],
        "positive_class": data["positive_class"],
        # Null where no images were left to choose on. More than two classes have no threshold.
        "threshold": chosen.threshold,
        "temperature": chosen.temperature,
        "temperature_converged": chosen.converged,
        "image_shape": data["image_shape"],
        "resize": run.config.resize,
        "pixel_range": data.get("pixel_range", {}),
        "input": f"raw pixels 0..255, shape (batch, {', '.join(map(str, data['image_shape']))})",
        "trained_on": dataclasses.asdict(trained_on(run.facts, model.retrained is not None)),
        "objective": run.facts["objective"],
        "test": {
            key: evaluation[key]
            for key in ("accuracy", "accuracy_interval_95", "images", "without_seen")
            if key in evaluation
        },
    }


def trial_facts(trial: TrialRecord) -> dict[str, Any]:
    """Return the facts of a trial and of its best epoch."""
    return {
        "trial_id": trial.trial_id,
        "hyperparameters": trial.values,
        "best_epoch": trial.best_epoch,
        "num_params": trial.num_params,
        "duration_s": trial.duration_s,
        "score": trial.score,
        "metrics": trial.metrics,
    }


def _origin(model: RunModel) -> dict[str, Any]:
    """The trials behind the model, and how it was made of them."""
    if model.is_ensemble:
        members = [trial_facts(trial) for trial in model.trials]
        return {
            "trial_id": None,
            "members": members,
            "num_params": sum(trial.num_params or 0 for trial in model.trials),
            "comparison": model.evaluation["comparison"],
        }
    if model.retrained is not None:
        trial = model.trial
        return {
            "trial_id": trial.trial_id,
            "hyperparameters": trial.values,
            "num_params": trial.num_params,
            "retrained": model.retrained,
        }
    return trial_facts(model.trial)
