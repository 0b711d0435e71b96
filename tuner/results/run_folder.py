"""Where the files of a run are."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tuner.config import SearchConfig
from tuner.errors import StorageError
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

    def remove(self, folder: Path) -> None:
        """Delete a folder that the workers have filled, where it exists.

        Raises:
            StorageError: it lies outside of the run.
        """
        remove_tree(folder, self.workers_path)

    def remove_checkpoint(self, trial_id: str) -> None:
        """Delete the checkpoint of a trial, where it has one.

        Raises:
            StorageError: it lies outside of the run.
        """
        self.remove(self.checkpoints / trial_id)


def run_folder(path: Path, config: SearchConfig) -> RunFolder:
    """Return where the files of the run in `path` are, which was asked for by `config`.

    Raises:
        UsageError: the storage cannot be used.
    """
    if config.storage:
        return RunFolder(path, location(config.storage) / path.name)
    # Workers on a cluster run in another folder than the driver.
    return RunFolder(path, path.absolute() if config.cluster else path)


def check_entries(path: Path) -> None:
    """Refuse the folder of a run that leads out of itself: a stranger may have made it.

    Raises:
        StorageError: a link leads to another place, or an entry is no plain file.
    """
    inside = path.resolve()
    for folder, names, files in os.walk(path):
        for entry in (Path(folder, name) for name in (*names, *files)):
            kind = _kind(entry)
            if kind == stat.S_IFLNK and not entry.resolve().is_relative_to(inside):
                raise StorageError(
                    f"'{entry}' is a link to a place outside of its run. Allowed: files of the run itself. "
                    "Remove the link, or put what it leads to in its place."
                )
            if kind not in (None, stat.S_IFLNK, stat.S_IFREG, stat.S_IFDIR):
                raise StorageError(f"'{entry}' is no plain file. A run has files and folders. Remove it.")


def _kind(path: Path) -> int | None:
    """Return the type of an entry, None for one that is gone by now, as drafts of a search are, or hidden."""
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except OSError:
        return None
