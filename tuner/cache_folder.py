"""The cache folder, own or shared: files and folders in it are whole or absent, also between processes.

What is made below it is as open to other users as the folder itself, whatever the umask says.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock
from xxhash import xxh3_128

from tuner.errors import DataError
from tuner.home_folder import expanded

ENVIRONMENT = "TUNER_CACHE_DIR"

_PIECE_BYTES = 2**22
_SILENT_BYTES = 2**28
"""So much is read within two seconds, from a slow disk too."""
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def cache_root() -> Path:
    """Return the folder for all decoded data sets: $TUNER_CACHE_DIR, else the user's cache folder.

    Raises:
        UsageError: it lies in the home folder of a user who has none.
    """
    if chosen := os.environ.get(ENVIRONMENT):
        return Path(expanded(chosen)).absolute()
    return Path(expanded(platformdirs.user_cache_dir("kt-search", appauthor=False)))


def code_root() -> Path:
    """Return the folder for compiled code, which a process that finds it there executes.

    It is the cache folder, unless that is another user's or others may write to it; then the user's own.
    """
    root = cache_root()
    with suppress(FileNotFoundError):
        status = root.stat()
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return Path(platformdirs.user_cache_dir("kt-search", appauthor=False))
    return root


def keep_file(path: Path, contents: bytes) -> None:
    """Write a file of the cache, whole or not at all.

    Raises:
        DataError: the cache folder cannot be written to.
    """
    with _writable(path):
        _make_folder(path.parent)
        draft = _draft(path)
        try:
            with draft.open("xb") as file:
                file.write(contents)
            _open_to_others(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep other processes from building the same data set meanwhile; waits for one that does.

    Raises:
        DataError: the cache folder cannot be written to.
    """
    with _writable(folder):
        _make_folder(folder.parent)
        # A lock file is opened for writing, so whoever may build here must be able to.
        mode = folder.parent.stat().st_mode & 0o666 | 0o600
        lock = FileLock(f"{folder}.lock", mode=mode).acquire()
    with lock:
        yield


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `folder`, if any, when the block ends without an error.

    To be called within `exclusive`, where `folder` is absent or damaged: other drafts are then left over from
    a process that was killed. Those of other users may have to stay.

    Raises:
        DataError: writing failed, for want of space or another reason, or `folder` cannot be removed.
    """
    with _writable(folder):
        with suppress(FileNotFoundError):
            folder.rename(_draft(folder))  # before the work: it fails here for those who may not replace it
        for left_over in folder.parent.glob(f"{folder.name}.*.draft"):
            shutil.rmtree(left_over, ignore_errors=True)
        draft = _draft(folder)
        draft.mkdir()
        try:
            _open_to_others(draft)
            yield draft
            for path in draft.iterdir():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())  # else a power cut could leave empty files under the new name
                _open_to_others(path)
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Explain that files in a folder of the cache belong to a user who does not share them.

    Raises:
        DataError: a file cannot be read for want of permission.
    """
    try:
        yield
    except PermissionError as error:
        raise DataError(
            f"cannot read {folder} ({_reason(error)}). What a shared cache folder holds must be readable "
            f"for its users. Let its owner run: chmod -R a+rX {cache_root()}, "
            f"or set {ENVIRONMENT} to another folder."
        ) from error


def checksum(path: Path, progress: Callable[[int, int], None] | None = None) -> str:
    """Return the checksum of a file: of 128 bits, for damage and not against forgery.

    Args:
        progress: called with (done, size) in bytes while a file is read that is large.

    Raises:
        OSError: the file cannot be read.
    """
    found, done, size = xxh3_128(), 0, path.stat().st_size
    buffer = memoryview(bytearray(_PIECE_BYTES))
    with path.open("rb", buffering=0) as file:  # a map would end the process where the disk fails
        while count := file.readinto(buffer):
            found.update(buffer[:count])
            done += count
            if progress and done > _SILENT_BYTES:
                progress(done, size)
    return found.hexdigest()


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.{secrets.token_hex(8)}.draft")


def _make_folder(path: Path) -> None:
    """Make a folder below the cache folder, and those above it."""
    if path.is_dir():
        return
    folder = cache_root()
    folder.mkdir(parents=True, exist_ok=True)
    for name in path.relative_to(folder).parts:
        folder /= name
        if not folder.is_dir():
            with suppress(FileExistsError):  # another process was faster
                folder.mkdir()
                _open_to_others(folder)


def _open_to_others(path: Path) -> None:
    """Let others use a folder, or read a file, where they may do that with the folder that holds it."""
    mode = stat.S_IMODE(path.parent.stat().st_mode)
    with suppress(OSError):  # not all file systems have permissions
        path.chmod(mode | 0o700 if path.is_dir() else mode & 0o444 | 0o600)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FORBIDDEN:
            raise DataError(
                f"cannot write decoded images to {path.parent} ({error.strerror or error}). "
                f"It must be a writable folder with space for all of them. "
                f"Free some space, or set {ENVIRONMENT} to another folder."
            ) from error
        if _exists(path):
            raise DataError(
                f"{path} is damaged and cannot be replaced ({_reason(error)}). Only its owner can do that. "
                f"Let the owner remove it, or set {ENVIRONMENT} to another folder."
            ) from error
        raise DataError(
            f"cannot write {path} ({_reason(error)}). A shared cache folder must be writable for its users, "
            f"or hold all that they need. Let its owner run: chmod -R g+rwX {cache_root()}, "
            f"or set {ENVIRONMENT} to another folder."
        ) from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False


def _reason(error: OSError) -> str:
    """Return why a file cannot be used, and whose it is where that is known."""
    text = error.strerror or str(error)
    try:
        return f"{text}: {error.filename} belongs to {Path(error.filename).owner()}"
    except (OSError, KeyError, TypeError):  # out of sight, a user without a name, no file named
        return text
