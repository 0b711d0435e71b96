"""Images that the user names: files, folders, archives and patterns, listed one by one as they are needed."""

from __future__ import annotations

import glob
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tuner.data.listing import (
    IMAGE_SUFFIXES,
    MAX_IMAGE_BYTES,
    Reader,
    UnreadableError,
    is_image_path,
    printable,
    read_file,
)
from tuner.data.zip import ZipSource
from tuner.errors import DataError

STDIN = "-"
"""Stands for the paths that are given line by line."""

_ALLOWED = (
    "Allowed: image files, folders, .zip archives, patterns such as 'photos/**/*.jpg', "
    f"or {STDIN} for paths on standard input, one a line"
)


class GivenImage(NamedTuple):
    """An image to read: its path to show, and what its reader knows it by."""

    path: str
    handle: Any
    open_reader: Callable[[], AbstractContextManager[Reader]]
    """Opens the place it lies in for one thread; reading may raise UnreadableError."""


class GivenImages:
    """Images in the order in which they are named; in a folder, archive or pattern, in that of their paths.

    A file is taken whatever it is called; of a folder or an archive the images are, by their suffixes. What a
    pattern matches counts as named; what lies in a folder that it matches is listed once. One folder's names
    are in memory at a time, one pattern's matches, and the directories of the archives.

    Args:
        references: Paths, patterns, or STDIN. What exists under the name of a pattern is no pattern.
        lines: The paths that STDIN stands for; can be gone through once. They are no patterns, and one that
            does not exist is an image that cannot be read.

    Raises:
        DataError: a reference names nothing, or nothing that could be an image, or STDIN is named twice.
    """

    def __init__(self, references: Iterable[str], lines: Iterable[str] = ()) -> None:
        self._references = [os.path.expanduser(reference) for reference in references]  # noqa: PTH111 - stays text
        self._lines = lines
        self._archives: dict[str, _Archive] = {}
        if self._references.count(STDIN) > 1:
            raise DataError(f"'{STDIN}' is named twice, and standard input ends once. Name it once.")
        for reference in self._references:
            self._require_images(reference)

    def __iter__(self) -> Iterator[GivenImage]:
        for reference in self._references:
            yield from self._named(reference)

    def count(self) -> int | None:
        """Return how many there are, for which folders are listed once more; None where lines are to come."""
        return None if STDIN in self._references else sum(1 for _ in self)

    def _named(self, reference: str) -> Iterator[GivenImage]:
        if reference == STDIN:
            for line in self._lines:
                yield from _images_at(line)
        elif archive := self._archives.get(reference):
            yield from archive
        elif os.path.lexists(reference):
            yield from _images_at(reference)
        else:
            yield from _matched(reference)

    def _require_images(self, reference: str) -> None:
        if reference == STDIN:
            return
        name = printable(reference)
        if not os.path.lexists(reference):
            if not glob.has_magic(reference):
                raise DataError(f"there is no '{name}'. {_ALLOWED}. Correct the path.")
            if next(_glob(reference), None) is None:
                raise DataError(
                    f"the pattern '{name}' matches nothing. {_ALLOWED}. Correct it, or the folder you are in."
                )
        elif _is_archive(reference):
            self._archives[reference] = _Archive(reference)
        if next(self._named(reference), None) is None:
            suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
            raise DataError(f"there are no images in '{name}'. Image files end in {suffixes}. Give others.")


class _Archive:
    """A zip archive of images that need not lie in class folders."""

    def __init__(self, path: str) -> None:
        self._source = ZipSource(Path(path), printable(path))

    def __iter__(self) -> Iterator[GivenImage]:
        for path, entry in self._entries:
            yield GivenImage(f"{self._source.location}/{path}", entry, self._source.open_reader)

    @cached_property
    def _entries(self) -> list[tuple[str, zipfile.ZipInfo]]:
        """Printable path and entry of each image, by path, refused or not as where classes are learned."""
        return [(printable(path), entry) for path, entry in sorted(self._source.images().items())]


def _images_at(path: str) -> Iterator[GivenImage]:
    """Yield what a path stands for; where it stands for nothing, an image that cannot be read."""
    if Path(path).is_dir():
        yield from _walk(path, ())
    elif _is_archive(path):
        try:
            yield from _Archive(path)
        except DataError as error:
            yield _unreadable(path, str(error))
    else:
        yield GivenImage(printable(path), path, _open_files)


def _matched(pattern: str) -> Iterator[GivenImage]:
    folders: set[Path] = set()
    for match in sorted(_glob(pattern)):  # a folder before what lies in it
        path = Path(match)
        if folders and not folders.isdisjoint(path.parents):
            continue
        if path.is_dir():
            folders.add(path)
        yield from _images_at(match)


def _glob(pattern: str) -> Iterator[str]:
    # That of pathlib changes how a path is written, and cannot do absolute ones.
    return glob.iglob(pattern, recursive=True)  # noqa: PTH207


def _walk(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[GivenImage]:
    """Yield the images below a folder; `above` identifies the folders on the way down to it."""
    try:
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:  # a link that leads round in a circle
            return
        with os.scandir(folder) as entries:
            # Marked so, folders sort among files as the whole paths do.
            names = sorted(entry.name + "/" * _is_folder(entry) for entry in entries)
    except OSError as error:
        yield _unreadable(folder, f"cannot be listed ({error.strerror})")
        return
    prefix = folder if folder.endswith("/") else f"{folder}/"
    for name in names:
        if name.startswith("."):
            continue
        if name.endswith("/"):
            if name != "__MACOSX/":
                yield from _walk(prefix + name[:-1], (*above, identity))
        elif is_image_path(name):
            path = prefix + name
            yield GivenImage(printable(path), path, _open_files)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reading it says so
        return False


def _is_archive(path: str) -> bool:
    return path.lower().endswith(".zip") and Path(path).is_file()


def _unreadable(path: str, reason: str) -> GivenImage:
    return GivenImage(printable(path), reason, _open_nothing)


@contextmanager
def _open_nothing() -> Iterator[Reader]:
    def refuse(reason: str) -> NoReturn:
        raise UnreadableError(reason)

    yield refuse


def _open_files() -> AbstractContextManager[Reader]:
    return nullcontext(_read)


def _read(path: str) -> bytes:
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise UnreadableError("not a regular file")
        if status.st_size > MAX_IMAGE_BYTES:
            raise UnreadableError(f"{status.st_size:,} bytes, more than {MAX_IMAGE_BYTES:,}")
        return read_file(path, status.st_size)
    except OSError as error:
        raise UnreadableError(error.strerror or "cannot be read") from error
    except ValueError as error:  # a path with a null byte in it
        raise UnreadableError("not a path") from error
