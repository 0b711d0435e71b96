"""Where the files of a run are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuner.config import SearchConfig
from tuner.files import location, remove_tree
from tuner.results.schema import CHECKPOINTS, STORE_FILE


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run, which the driver writes, and the folder that its workers read and write.

    The two are one, but for a run with a `storage` of its own.
    """

    path: Path
    workers_path: Path

    @property
    def store(self) -> Path:
        """The SQLite file that holds the truth of the run."""
        return self.path / STORE_FILE

    @property
    def checkpoints(self) -> Path:
        """The folder that holds a folder for each trial with a checkpoint."""
        return self.workers_path / CHECKPOINTS

    def remove_checkpoint(self, trial_id: str) -> None:
        """Delete the checkpoint of a trial, where it has one."""
        remove_tree(self.checkpoints / trial_id)


def run_folder(path: Path, config: SearchConfig) -> RunFolder:
    """Return where the files of the run in `path` are, which was asked for by `config`.

    Raises:
        UsageError: the storage cannot be used.
    """
    if config.storage:
        return RunFolder(path, location(config.storage) / path.name)
    # Workers on a cluster run in another folder than the driver.
    return RunFolder(path, path.absolute() if config.cluster else path)
