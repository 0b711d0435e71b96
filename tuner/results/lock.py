"""The lock of a run, held by the process that works on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tuner.errors import StorageError, UsageError

LOCK_FILE = "run.lock"
# Longer than the moment for which `is_abandoned` holds the lock.
TIMEOUT_S = 0.5


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a run.

    Raises:
        UsageError: another process works on it.
        StorageError: the folder cannot be written.
    """
    lock = FileLock(path / LOCK_FILE, timeout=TIMEOUT_S, poll_interval=TIMEOUT_S / 10)
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
    """True if no process works on a run, as far as this machine can see."""
    if not (path / LOCK_FILE).exists():
        return True
    try:
        with FileLock(path / LOCK_FILE, timeout=0):
            return True
    except (Timeout, OSError):
        return False
