"""Files that appear whole or not at all, on this machine or in storage that several reach."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from tuner.errors import StorageError, TunerError, UsageError, one_line

DRAFT_PREFIX = "draft-"
# What tells that a file is not there, or damaged. All else that the library of a URL raises, each its own,
# tells that storage was not reached.
_OF_CONTENTS = (FileNotFoundError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile)


def location(text: str) -> Path:
    """Return the folder that a path or a URL such as s3://bucket/folder names.

    That of a URL is no `Path`, but does what one does where only this module's functions, `/`, `open`,
    `mkdir`, `iterdir` and the like are asked of it.

    Raises:
        UsageError: what the URL needs is not installed, or there is no such kind.
    """
    return _at_url(text) if "://" in text else Path(text).expanduser().absolute()


@cache
def _at_url(text: str) -> Path:
    """The folder of a URL; whether it can be reached is asked once, since each answer takes its time."""
    try:
        from upath import UPath

        found: Any = UPath(text)
        found.fs.exists(found.path)
        # A bucket would be made on the way, in the name of a slip of the pen.
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


def remove_tree(path: Path) -> None:
    """Delete a folder with all that is in it, if it is there."""
    if _is_here(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    away: Any = path
    with suppress(OSError, StorageError), reaching(path):
        away.fs.rm(away.path, recursive=True)


def remove_file(path: Path) -> None:
    """Delete a file, if it is there and can be reached."""
    with suppress(OSError, StorageError), reaching(path):
        path.unlink(missing_ok=True)


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Let what is done with a path fail in one way where it is away and out of reach.

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
    """Copy a file, from wherever it is, to this machine."""
    if _is_here(source):
        shutil.copyfile(source, target)
        return
    away: Any = source
    with reaching(source):
        away.fs.get_file(away.path, str(target))


def _is_here(path: object) -> bool:
    """True for a path of this machine, or of a disk that it has."""
    return isinstance(path, Path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a draft, which takes the place of `path` at the end; a reader never sees a part.

    Folders on the way are made. The draft has the suffix of `path`, is on this machine, and is no other
    process's.

    Raises:
        StorageError: the file cannot be written; it is as it was before.
    """
    if not _is_here(path):
        with _sending(path) as draft:
            yield draft
        return
    draft = path.with_name(f"{DRAFT_PREFIX}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _not_written(path, error) from None
        raise


@contextmanager
def _sending(path: Any) -> Iterator[Path]:
    """The same for storage elsewhere, where a file appears when all of it has arrived."""
    try:
        with tempfile.TemporaryDirectory(prefix=DRAFT_PREFIX) as folder:
            draft = Path(folder) / path.name
            yield draft
            with reaching(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.fs.put_file(str(draft), path.path)
    except OSError as error:
        raise _not_written(path, error) from None


def _not_written(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write '{path}': {error.strerror or error}. Free space or permissions, then go on."
    )


def replace_bytes(path: Path, contents: bytes) -> None:
    """Replace a file.

    Raises:
        StorageError: the file cannot be written; it is as it was before.
    """
    with replacing(path) as draft:
        draft.write_bytes(contents)


def replace_text(path: Path, text: str) -> None:
    """Replace a text file.

    Raises:
        StorageError: the file cannot be written; it is as it was before.
    """
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="")
