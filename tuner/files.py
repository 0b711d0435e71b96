"""Files that appear complete or not at all, on this machine or in shared storage."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tuner.errors import StorageError, TunerError, UsageError, one_line
from tuner.home_folder import expanded

DRAFT_PREFIX = "draft-"
MARK_FILE = "reachable"
"""The file by which a worker on another machine sees that it reaches the folder of the checkpoints."""
_DRAFT = re.compile(rf"{DRAFT_PREFIX}[0-9a-f]{{8}}-.+", re.DOTALL)
_DRAFT_FOLDER_PREFIX = f"{DRAFT_PREFIX}folder-"
_OWNER_FILE = "owner.lock"
# Errors of a file that is missing or damaged. Other errors from the library of a URL mean that it failed to
# reach the storage.
_OF_CONTENTS = (FileNotFoundError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile)


def location(text: str) -> Path:
    """Return the folder of a path or of a URL such as s3://bucket/folder.

    The folder of a URL is not a `Path`, but works like one for the functions of this module, `/`, `open`,
    `mkdir`, `iterdir` and the like.

    Raises:
        UsageError: a package for the URL is missing, no such kind of URL exists, or the home folder of a path
            with `~`.
    """
    return _at_url(text) if "://" in text else Path(expanded(text)).absolute()


@cache
def _at_url(text: str) -> Path:
    """Return the folder of a URL. The check that it can be reached is slow, so it is done once."""
    try:
        from upath import UPath

        found: Any = UPath(text)
        found.fs.exists(found.path)
        # A write would create a bucket with a mistyped name.
        with suppress(PermissionError):
            if found.drive and not found.fs.exists(found.drive):
                raise UsageError(
                    f"cannot use storage '{text}': there is no bucket '{found.drive}'. Make it first."
                )
    except UsageError:
        raise
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"cannot use storage '{text}': {one_line(error)}. URLs need pip install 'kt-search[ray]' and the "
            "package of their kind, such as s3fs or gcsfs."
        ) from None
    except Exception as error:  # of the library behind it, which may be any
        raise UsageError(
            f"cannot reach storage '{text}': {type(error).__name__}: {one_line(error)}. Give a folder or URL "
            "that can be read and written."
        ) from None
    return found  # type: ignore[no-any-return]


def remove_tree(path: Path, within: Path) -> None:
    """Delete a folder with its contents, if it exists; a link is deleted, not the folder it leads to.

    Args:
        within: A folder that it must lie in, links resolved. The path may come from a file of a stranger.

    Raises:
        StorageError: it lies elsewhere.
    """
    if not _lies_in(path, within):
        raise StorageError(f"'{path}' lies outside of '{within}', and is not removed. Look at it yourself.")
    if _is_here(path):
        if path.is_symlink():
            path.unlink()
        shutil.rmtree(path, ignore_errors=True)
        return
    away: Any = path
    with suppress(OSError, StorageError), reaching(path):
        away.fs.rm(away.path, recursive=True)


def _lies_in(path: Path, within: Path) -> bool:
    """Whether a path is below a folder, itself not resolved where it is a link."""
    if _is_here(path):
        place = path.parent.resolve() / path.name
        return path.name not in ("", "..") and within.resolve() in place.parents
    return ".." not in path.parts and str(path).startswith(f"{str(within).rstrip('/')}/")


def remove_file(path: Path) -> None:
    """Delete a file, if it exists and can be reached."""
    with suppress(OSError, StorageError), reaching(path):
        path.unlink(missing_ok=True)


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Turn the errors of a shared storage that cannot be reached into one kind.

    Raises:
        StorageError: the storage does not answer, or refuses.
    """
    try:
        yield
    except (TunerError, *_OF_CONTENTS):
        raise
    except Exception as error:
        if _is_here(path):
            raise
        raise StorageError(
            f"cannot reach '{path}': {type(error).__name__}: {one_line(error)}. "
            "Go on when the storage is back."
        ) from None


def copy_file(source: Path, target: Path) -> None:
    """Copy a file to this machine."""
    with reaching(source), source.open("rb") as file, target.open("wb") as copy:
        shutil.copyfileobj(file, copy)


def _is_here(path: object) -> bool:
    """True for a path of the file system of this machine."""
    return isinstance(path, Path)


def is_draft(name: str) -> bool:
    """True for the name of a draft of `replacing`; a killed process leaves one."""
    return _DRAFT.fullmatch(name) is not None


@contextmanager
def draft_folder(place: Path | None = None) -> Iterator[Path]:
    """Yield an empty folder in `place` for files that are not finished; it is deleted at the end.

    Folders that killed processes have left there are deleted too: nobody holds their locks.

    Args:
        place: Default: the folder of the system for temporary files.
    """
    there = Path(tempfile.gettempdir()) if place is None else place
    for left in there.glob(f"{_DRAFT_FOLDER_PREFIX}????????/{_OWNER_FILE}"):
        with suppress(OSError, Timeout), FileLock(left, timeout=0):
            shutil.rmtree(left.parent, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(
            prefix=_DRAFT_FOLDER_PREFIX, dir=there, ignore_cleanup_errors=True
        ) as name,
        FileLock(Path(name, _OWNER_FILE), timeout=0),
    ):
        yield Path(name)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a draft that replaces `path` at the end, so that readers never see a part.

    Missing folders are created. The draft is on this machine, has the suffix of `path`, and belongs to this
    process alone.

    Raises:
        StorageError: the file cannot be written; it stays as it was.
    """
    drafts = _draft_beside if _is_here(path) else _draft_to_send
    try:
        with drafts(path) as draft:
            yield draft
    except OSError as error:
        raise StorageError(
            f"cannot write '{path}': {error.strerror or error}. Free space or permissions, then go on."
        ) from None


@contextmanager
def _draft_beside(path: Path) -> Iterator[Path]:
    """Yield a draft in the folder of `path`, and rename it at the end."""
    draft = path.with_name(f"{DRAFT_PREFIX}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@contextmanager
def _draft_to_send(path: Any) -> Iterator[Path]:
    """Yield a draft on this machine, and send it at the end; it appears there after its complete transfer."""
    with tempfile.TemporaryDirectory(prefix=DRAFT_PREFIX) as folder:
        draft = Path(folder) / path.name
        yield draft
        with reaching(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.fs.put_file(str(draft), path.path)


def replace_bytes(path: Path, contents: bytes) -> None:
    """Replace a file.

    Raises:
        StorageError: the file cannot be written; it stays as it was.
    """
    with replacing(path) as draft:
        draft.write_bytes(contents)


def replace_text(path: Path, text: str) -> None:
    r"""Replace a text file. A byte in the name of a file that is not UTF-8 becomes an escape such as \udce4.

    Raises:
        StorageError: the file cannot be written; it stays as it was.
    """
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
