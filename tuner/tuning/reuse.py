"""Epochs that earlier runs in the same results folder have trained already."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuner.errors import TunerError
from tuner.files import copy_file, replacing
from tuner.objective import Objective
from tuner.results.query import RunView, Tell, runs
from tuner.results.run_folder import RunFolder
from tuner.results.schema import CONDITIONS, STORE_FILE, TrialRecord
from tuner.results.store import Store
from tuner.spaces.configurations import key
from tuner.training.checkpoint import BEST_FILE, STATE_FILE, History, read_history
from tuner.training.task import EpochDone, RungDone, TrainTask


@dataclass(frozen=True)
class _Found:
    run: RunView
    trial: TrialRecord


class EarlierTrials:
    """Trials of other runs with the same data, code, versions, device and arithmetic as this one.

    `conditions` in run_conditions.py lists all that has to be equal. A trial with the same configuration,
    seed and batch size has the same epochs.

    Args:
        tell: Called with a sentence on each run that cannot be read.
    """

    def __init__(
        self, folder: RunFolder, conditions: dict[str, Any] | None, objective: Objective, tell: Tell
    ) -> None:
        self._objective = objective
        self._found: dict[tuple[str, int, int], _Found] = {}
        if conditions is None:  # nothing is taken over
            return
        for run in runs(folder.path.parent, tell):
            if run.path != folder.path and run.facts.get(CONDITIONS) == conditions:
                for trial in run.trials:
                    known = self._found.get(_identity(trial))
                    if known is None or trial.epochs > known.trial.epochs:
                        self._found[_identity(trial)] = _Found(run, trial)

    def has(self, trial: TrialRecord) -> bool:
        """True where another run has trained epochs of this trial."""
        return _identity(trial) in self._found

    def take(self, task: TrainTask, trial: TrialRecord) -> tuple[list[EpochDone], TrainTask | RungDone]:
        """Return the epochs of a task that an earlier run has trained, then the rest: a task, or its end.

        A trial that goes on gets a copy of the checkpoint, where there still is one. Without it, a worker
        trains these epochs once more on the way to new ones.
        """
        found = self._found.get(_identity(trial))
        if found is None:
            return [], task
        history, last = _history(found), task.epochs_reported
        while last < min(len(history), task.epochs) and not task.is_over(history[:last]):
            last += 1
        if last == task.epochs_reported:
            return [], task
        numbers = range(task.epochs_reported + 1, last + 1)
        epochs = [EpochDone(task.trial_id, task.rung, number, history[number - 1]) for number in numbers]
        self._copy_checkpoint(found, task.checkpoint_dir, last)
        over = task.is_over(history[:last])
        if last < task.epochs and not over:
            return epochs, replace(task, epochs_reported=last)
        return epochs, RungDone(task.trial_id, task.rung, last, over, False, found.trial.num_params, 0.0)

    def _copy_checkpoint(self, found: _Found, folder: Path, epochs: int) -> None:
        """Copy the best weights, then the state of the training, if the latter is after so many epochs.

        The state is never copied alone: the best weights of its epochs would be missing.
        """
        source = found.run.folder.checkpoints / found.trial.trial_id
        stands_at = len(read_history(source)) or found.trial.epochs
        if found.run.facts["objective"] != self._objective.name or stands_at != epochs:
            return
        for name in (BEST_FILE, STATE_FILE):
            if not (source / name).is_file():
                return
            with replacing(folder / name) as draft:
                copy_file(source / name, draft)


def _history(found: _Found) -> History:
    """Return the epochs of a trial; none if its run was deleted or damaged meanwhile."""
    with suppress(TunerError), closing(Store(found.run.path / STORE_FILE)) as store:
        return store.history(found.trial.trial_id)
    return ()


def _identity(trial: TrialRecord) -> tuple[str, int, int]:
    return key(trial.values), trial.seed, trial.batch_size
