"""New trials with their seeds, and the tasks by which workers train them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from tuner.config import DEFAULT_BATCH_SIZE, DEFAULT_PATIENCE, SearchConfig
from tuner.results.schema import RUNNING, TRAINING, TrialRecord
from tuner.training.compute import Compute
from tuner.training.recipe import make_recipe
from tuner.training.seeds import derive_seed
from tuner.training.task import TrainTask
from tuner.tuning.checkpoints import Checkpoints
from tuner.tuning.plan import Plan


class Tasks:
    """Makes the trials and the tasks of one search.

    Args:
        facts: Facts of the run, of which `compute` and TRAINING count.
    """

    def __init__(
        self, config: SearchConfig, plan: Plan, facts: Mapping[str, Any], checkpoints: Checkpoints
    ) -> None:
        self._config, self._plan = config, plan
        self._compute = Compute(**facts["compute"])
        self._training: Collection[str] = facts[TRAINING]
        self._checkpoints = checkpoints

    def new_trial(self, trial_id: str, values: Mapping[str, Any]) -> TrialRecord:
        """Return the record of a trial that starts with the values that the Oracle gave it."""
        from tuner.spaces.configurations import key

        effective = {name: value for name, value in values.items() if not name.startswith("tuner/")}
        return TrialRecord(
            trial_id=trial_id,
            values=effective,
            status=RUNNING,
            bracket=values["tuner/bracket"],
            rung=0,
            # Equal configurations have equal scores, whichever trial they are.
            seed=derive_seed(self._config.seed, "trial", key(effective)),
            batch_size=self.batch_size(effective),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def make(self, trial: TrialRecord, epochs: int, left_s: float | None) -> TrainTask:
        """Return the task to train a trial to `epochs` epochs in all, or for `left_s` seconds at most."""
        bracket = self._plan.brackets[trial.bracket]
        chosen = training_values(self._config, self._training, trial.values)
        return TrainTask(
            trial_id=trial.trial_id,
            values=trial.values,
            rung=trial.rung,
            epochs=epochs,
            batch_size=trial.batch_size,
            patience=chosen["patience"],
            objective=self._config.objective,
            seed=trial.seed,
            checkpoint_dir=self._checkpoints.folder(trial.trial_id),
            epochs_reported=trial.epochs,
            left_s=left_s,
            compute=self._compute,
            recipe=make_recipe(chosen),
            passes=bracket.passes_of_longest,
            # Of all rungs, because a trial that begins again repeats its first rungs.
            shares=tuple((rung.epochs, rung.data_share) for rung in bracket.rungs if rung.data_share < 1),
        )

    def batch_size(self, values: Mapping[str, Any]) -> int:
        """Return the batch size of a configuration, which a lack of memory may halve."""
        return int(training_values(self._config, self._training, values)["batch_size"])


def training_values(
    config: SearchConfig, training: Collection[str], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return hyperparameters of the training: of the configuration, else of the request, else the defaults.

    Args:
        training: Names of the hyperparameters that belong to the training, not to the model.
    """
    return {
        "batch_size": config.batch_size or DEFAULT_BATCH_SIZE,
        "patience": DEFAULT_PATIENCE if config.patience is None else config.patience,
        "class_weights": config.class_weights or "none",
        **{name: values[name] for name in training if name in values},
    }
