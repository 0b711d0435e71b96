"""The checkpoints of a run. Those that no later step needs are deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tuner.files import reaching, remove_file
from tuner.results.run_folder import RunFolder
from tuner.training.checkpoint import BEST_FILE, STATE_FILE, has_best
from tuner.tuning.throttle import Throttle


class Checkpoints:
    """A folder of the run for each trial that has one."""

    def __init__(self, run: RunFolder) -> None:
        self._run, self._path = run, run.checkpoints
        self._throttle = Throttle()
        with reaching(self._path):
            folders = self._path.iterdir() if self._path.is_dir() else ()
            self._present = {folder.name for folder in folders if folder.is_dir()}

    def folder(self, trial_id: str) -> Path:
        """Return the folder of a trial."""
        return self._path / trial_id

    def begin(self, trial_id: str) -> None:
        """Take note that a trial fills its folder from now on."""
        self._present.add(trial_id)

    def prepare_weights(self, trial_id: str, epochs: int) -> bool:
        """Return whether the best weights of a trial exist; if not, prepare its folder for a training.

        An interrupted training goes on from its checkpoint. Any other checkpoint is deleted.
        """
        folder = self._path / trial_id
        if has_best(folder, epochs):
            return True
        with reaching(folder):
            was_cut_short = (folder / BEST_FILE).is_file()
        if not was_cut_short:
            self.discard(trial_id)
        self.begin(trial_id)
        return False

    def discard(self, trial_id: str) -> None:
        """Delete the folder of a trial."""
        self._run.remove_checkpoint(trial_id)
        self._present.discard(trial_id)

    def refresh(self, best: Mapping[str, int], may_continue: Callable[[str], bool]) -> None:
        """Prune if it is time. Each look is at all folders, as one event may decide on any trial."""
        if self._throttle.is_due():
            self.prune(best, may_continue)

    def prune(self, best: Mapping[str, int], may_continue: Callable[[str], bool]) -> None:
        """Delete the folders of losers, and of the best trials all but their best weights.

        Args:
            best: The best trials, with the epochs that each has on record.
        """
        with self._throttle.measured():
            for trial_id in sorted(self._present):
                if may_continue(trial_id):
                    continue
                if trial_id not in best:
                    self.discard(trial_id)
                elif has_best(self._path / trial_id, best[trial_id]):
                    remove_file(self._path / trial_id / STATE_FILE)
