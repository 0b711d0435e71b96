"""The user's cache folder: files and folders in it are whole or absent, also between processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock

from tuner.errors import DataError
from tuner.home_folder import expanded

ENVIRONMENT = "TUNER_CACHE_DIR"


def cache_root() -> Path:
    """Return the folder for all decoded data sets: $TUNER_CACHE_DIR, else the user's cache folder.

    Raises:
        UsageError: it lies in the home folder of a user who has none.
    """
    if chosen := os.environ.get(ENVIRONMENT):
        return Path(expanded(chosen)).absolute()
    try:
        return Path(expanded(platformdirs.user_cache_dir("kt-search", appauthor=False)))
    except RuntimeError:
        raise DataError(
            f"there is no home folder for decoded images. Set HOME, or {ENVIRONMENT} to a folder."
        ) from None


def keep_file(path: Path, contents: bytes) -> None:
    """Write a file of the cache, whole or not at all.

    Raises:
        DataError: the cache folder cannot be written to.
    """
    with _writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(suffix=".draft", dir=path.parent, delete=False) as draft:
            draft.write(contents)
        Path(draft.name).replace(path)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep other processes from building the same data set meanwhile; waits for one that does.

    Raises:
        DataError: the cache folder cannot be written to.
    """
    with _writable(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{folder}.lock").acquire()
    with lock:
        yield


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `folder` when the block ends without an error.

    To be called within `exclusive`: other drafts are then left over from a process that was killed.

    Raises:
        DataError: writing failed, for want of space or another reason.
    """
    with _writable(folder.parent):
        for left_over in folder.parent.glob(f"{folder.name}.*.draft"):
            shutil.rmtree(left_over, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".draft", dir=folder.parent))
        try:
            yield draft
            for path in draft.iterdir():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())  # else a power cut could leave empty files under the new name
            shutil.rmtree(folder, ignore_errors=True)
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write decoded images to {folder} ({error.strerror or error}). "
            f"It must be a writable folder with space for all of them. "
            f"Free some space, or set {ENVIRONMENT} to another folder."
        ) from error
