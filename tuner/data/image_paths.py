"""Images that the user names by path: files, folders, zip files and patterns, listed when they are needed."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tuner.data.file_kinds import IMAGE_SUFFIXES
from tuner.data.folders import file_size, read_image_file, walk_images
from tuner.data.listing import Reader, UnreadableError, printable
from tuner.data.zip import ZipSource
from tuner.errors import DataError

STDIN = "-"
"""Stands for the paths on standard input, one a line."""

_ALLOWED = (
    "Allowed: image files, folders, .zip archives, patterns such as 'photos/**/*.jpg', "
    f"or {STDIN} for paths on standard input, one a line"
)


class InputImage(NamedTuple):
    """An image to read."""

    path: str
    """In printable form."""
    handle: Any
    """Argument of the reader."""
    open_reader: Callable[[], AbstractContextManager[Reader]]
    """Opens the folder or zip file of the image for one thread. The reader may raise UnreadableError."""


class InputImages:
    """Images in the order of the user's paths; those of one folder, zip file or pattern in order of path.

    A named file may have any name; in a folder or a zip file the suffix tells the images. The
    matches of a pattern count as named; the content of a folder among them is listed once. In memory are the
    names of one folder at a time, the matches of one pattern, and the directories of the zip files.

    Args:
        references: Paths, patterns, or STDIN. A pattern that is the path of an existing file is that file.
        lines: The paths that STDIN stands for, iterated once. They are no patterns. A path that does not
            exist is an unreadable image.

    Raises:
        DataError: a reference names no image, or STDIN is named twice.
    """

    def __init__(self, references: Iterable[str], lines: Iterable[str] = ()) -> None:
        self._references = [os.path.expanduser(reference) for reference in references]  # noqa: PTH111 - stays text
        self._lines = lines
        self._zips: dict[str, list[InputImage]] = {}
        if self._references.count(STDIN) > 1:
            raise DataError(f"'{STDIN}' is named twice, and standard input ends once. Name it once.")
        for reference in self._references:
            if reference != STDIN:
                self._require_images(reference)

    def __iter__(self) -> Iterator[InputImage]:
        for reference in self._references:
            yield from self._named(reference)

    def count(self) -> int | None:
        """Return the number of images, listing folders once more; None with STDIN."""
        return None if STDIN in self._references else sum(1 for _ in self)

    def _named(self, reference: str) -> Iterator[InputImage]:
        if reference == STDIN:
            for line in self._lines:
                yield from _images_at(line)
        elif images := self._zips.get(reference):
            yield from images
        elif os.path.lexists(reference):
            yield from _images_at(reference)
        else:
            yield from _matched(reference)

    def _require_images(self, reference: str) -> None:
        name = printable(reference)
        if not os.path.lexists(reference):
            if not glob.has_magic(reference):
                raise DataError(f"there is no '{name}'. {_ALLOWED}. Correct the path.")
            if next(_glob(reference), None) is None:
                raise DataError(
                    f"the pattern '{name}' matches nothing. {_ALLOWED}. Correct it, or the folder you are in."
                )
        elif _is_zip(reference):
            self._zips[reference] = _images_in_zip(reference)
        if next(self._named(reference), None) is None:
            suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
            raise DataError(f"there are no images in '{name}'. Image files end in {suffixes}. Give others.")


def _images_in_zip(path: str) -> list[InputImage]:
    """Return the images of a zip file, which need not lie in class folders."""
    source = ZipSource(Path(path))
    return [
        InputImage(f"{printable(path)}/{printable(name)}", entry, source.open_reader)
        for name, entry in sorted(source.images().items())
    ]


def _images_at(path: str) -> Iterator[InputImage]:
    """Yield the images of a path; an unreadable image where there is none."""
    if Path(path).is_dir():
        for found, error in walk_images(path):
            if error:
                yield _unreadable(found, f"cannot be listed ({error.strerror})")
            else:
                yield InputImage(printable(found), found, _open_files)
    elif _is_zip(path):
        try:
            yield from _images_in_zip(path)
        except DataError as error:
            yield _unreadable(path, str(error))
    else:
        yield InputImage(printable(path), path, _open_files)


def _matched(pattern: str) -> Iterator[InputImage]:
    folders: set[Path] = set()
    for match in sorted(_glob(pattern)):  # a folder before its content
        path = Path(match)
        if folders and not folders.isdisjoint(path.parents):
            continue
        if path.is_dir():
            folders.add(path)
        yield from _images_at(match)


def _glob(pattern: str) -> Iterator[str]:
    # That of pathlib changes how a path is written, and cannot do absolute ones.
    return glob.iglob(pattern, recursive=True)  # noqa: PTH207


def _is_zip(path: str) -> bool:
    return path.lower().endswith(".zip") and Path(path).is_file()


def _unreadable(path: str, reason: str) -> InputImage:
    return InputImage(printable(path), reason, lambda: nullcontext(_refuse))


def _refuse(reason: str) -> NoReturn:
    raise UnreadableError(reason)


def _open_files() -> AbstractContextManager[Reader]:
    return nullcontext(_read)


def _read(path: str) -> bytes:
    try:
        return read_image_file(path, file_size(Path(path).stat()))
    except OSError as error:
        raise UnreadableError(error.strerror or "cannot be read") from error
    except ValueError as error:  # a path with a null byte in it
        raise UnreadableError("not a path") from error
