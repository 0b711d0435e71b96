"""The folder of a search that was ended before its run had a store: it holds nothing worth keeping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tuner.errors import UsageError
from tuner.files import MARK_FILE, is_draft
from tuner.results.lock import LOCK_FILE, locked
from tuner.results.schema import CHECKPOINTS, WORKER_LOG


def is_unstarted(path: Path) -> bool:
    """True for a folder that holds nothing but what a search writes before its store."""
    return path.is_dir() and not path.is_symlink() and all(map(_is_early, _entries(path)))


def clear_unstarted(path: Path) -> None:
    """Delete what is in such a folder, but for its lock, which the caller holds."""
    for entry in _entries(path):
        if entry.is_dir():
            entry.rmdir()
        elif entry.name != LOCK_FILE:
            entry.unlink(missing_ok=True)


def remove_unstarted(path: Path) -> None:
    """Delete such a folder, and no other. The caller holds its lock."""
    # Another process that waits for the lock may take the folder over in the last moment.
    with suppress(OSError):
        if is_unstarted(path):
            clear_unstarted(path)
            (path / LOCK_FILE).unlink()
            path.rmdir()


def refuse_unstarted(run: str | None, results_dir: Path) -> None:
    """Delete the folder of a named run that was ended before it began, and say so.

    Raises:
        UsageError: it was one, or another process is about to begin it.
    """
    for path in (Path(run), results_dir / run) if run else ():
        # Without a lock, no search has made it.
        if (path / LOCK_FILE).is_file() and is_unstarted(path):
            with locked(path):
                remove_unstarted(path)
            raise UsageError(
                f"run '{path.name}' was ended before it began, and nothing of it is left. Its name is free: "
                "start it again with the same command."
            )


def _entries(path: Path) -> Iterator[Path]:
    """Yield the files of a folder and of its checkpoints, then the folder of these."""
    for entry in list(path.iterdir()):
        if entry.name == CHECKPOINTS and entry.is_dir() and not entry.is_symlink():
            yield from list(entry.iterdir())
        yield entry


def _is_early(entry: Path) -> bool:
    if entry.is_symlink():
        return False
    if entry.is_dir():
        return entry.name == CHECKPOINTS
    return entry.name in (LOCK_FILE, WORKER_LOG, MARK_FILE) or is_draft(entry.name)
