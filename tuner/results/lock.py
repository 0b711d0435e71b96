"""The lock that a driver holds on its run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tuner.errors import StorageError, UsageError

LOCK_FILE = "run.lock"
# Who only looks whether a run is locked holds its lock for an instant.
LOOK_S = 0.5


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other drivers off a run.

    Raises:
        UsageError: another process works on it.
        StorageError: the folder cannot be written.
    """
    lock = FileLock(path / LOCK_FILE, timeout=LOOK_S, poll_interval=LOOK_S / 10)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"run '{path.name}' is being worked on by another tuner. Wait for it, or stop it first."
        ) from None
    except OSError as error:
        raise StorageError(
            f"cannot write run folder '{path}': {error.strerror}. Free space or permissions, then go on."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_abandoned(path: Path) -> bool:
    """True where nobody works on a run, as far as can be seen from here."""
    if not (path / LOCK_FILE).exists():
        return True
    lock = FileLock(path / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return False
    lock.release()
    return True
