"""The files of a run that follow its store: CSV tables and backup."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tuner.results.schema import EPOCHS_FILE, TRIALS_FILE, TrialRecord
from tuner.results.store import Store
from tuner.results.tables import write_epochs, write_trials

# The store has every event at once; these are written whole, so at most this often,
EVERY_S = 1.0
# and of a large run less often: they may take this share of the time.
SHARE = 0.02


class Outputs:
    """Keeps the files of one run up to date."""

    def __init__(
        self, run_path: Path, store: Store, trials: Mapping[str, TrialRecord], objective: str
    ) -> None:
        self._path, self._store, self._trials, self._objective = run_path, store, trials, objective
        self._due = 0.0

    def refresh(self) -> None:
        """Write the files if it is time."""
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Write the files now.

        Raises:
            StorageError: one cannot be written.
        """
        start = time.monotonic()
        write_trials(self._path / TRIALS_FILE, list(self._trials.values()), self._objective)
        write_epochs(self._path / EPOCHS_FILE, self._store.epochs())
        self._store.back_up()
        end = time.monotonic()
        self._due = end + max(EVERY_S, (end - start) / SHARE)
