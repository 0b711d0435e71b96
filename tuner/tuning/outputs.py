"""The files of a run that follow its store: CSV tables and backup."""

from __future__ import annotations

from collections.abc import Mapping

from tuner.results.run_folder import RunFolder
from tuner.results.schema import EPOCHS_FILE, TRIALS_FILE, TrialRecord
from tuner.results.store import Store
from tuner.results.tables import write_epochs, write_trials
from tuner.tuning.throttle import Throttle


class Outputs:
    """Keeps the files of one run up to date. The store has each event at once; these files are rewritten."""

    def __init__(
        self, folder: RunFolder, store: Store, trials: Mapping[str, TrialRecord], objective: str
    ) -> None:
        self._folder, self._store, self._trials, self._objective = folder, store, trials, objective
        self._throttle = Throttle()

    def refresh(self) -> None:
        """Write the files if it is time."""
        if self._throttle.is_due():
            self.write()

    def write(self) -> None:
        """Write the files now.

        Raises:
            StorageError: one cannot be written.
        """
        import pandas  # noqa: F401 - its import takes as long as many writes, and must not count as one

        with self._throttle.measured():
            write_trials(self._folder.path / TRIALS_FILE, list(self._trials.values()), self._objective)
            write_epochs(self._folder.path / EPOCHS_FILE, self._store.each_epoch())
            self._store.back_up()
