"""The best epoch of a trial, as a worker restores it."""

from __future__ import annotations

from tuner.results.query import RunView
from tuner.results.schema import TrialRecord
from tuner.training.checkpoint import has_best
from tuner.workers.protocol import Member


def best_epoch(run: RunView, trial: TrialRecord) -> Member:
    """Return the configuration of a trial, and the folder with the weights of its best epoch."""
    return Member(trial.values, run.folder.checkpoints / trial.trial_id)


def is_kept(run: RunView, trial: TrialRecord) -> bool:
    """True where these weights are still there: a search keeps those of its best trials."""
    return has_best(best_epoch(run, trial).checkpoint_dir, trial.epochs)
