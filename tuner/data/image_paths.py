"""Images that the user names by path: files, folders, archives, arrays and patterns, listed when needed."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tuner.errors import DataError
from tuner.home_folder import expanded
from tuner.path_names import in_utf8, printable
from tuner.sources.archives import ArchiveSource, archive_at
from tuner.sources.arrays import NpySource, NpzSource, open_reader
from tuner.sources.file_kinds import IMAGE_SUFFIXES, suffix_of
from tuner.sources.folders import file_size, read_image_file, walk_images
from tuner.sources.listing import Reader, UnreadableError
from tuner.sources.pixel_range import FULL_RANGE, PixelRange

STDIN = "-"
"""Stands for the paths on standard input, one a line."""

_ALLOWED = (
    "Allowed: image files, folders, zip and tar archives, .npz and .npy arrays, patterns such as "
    f"'photos/**/*.jpg', or {STDIN} for paths on standard input, one a line"
)


class InputImage(NamedTuple):
    """An image to read."""

    path: str
    """As it is, whatever characters and bytes are in it; what lies in an archive is in printable form."""
    handle: Any
    """Argument of the reader."""
    open_reader: Callable[[], AbstractContextManager[Reader]]
    """Opens the folder, archive or arrays for one thread. The reader may raise UnreadableError."""


class InputImages:
    """Images in the order of the user's paths; those of one folder, archive or pattern in order of path.

    A named file may have any name; in a folder or an archive its suffix tells an image, else its first bytes.
    The matches of a pattern count as named; the content of a folder among them is listed once. In memory are
    the names of one folder at a time, the matches of one pattern, the lists of the archives, and the arrays.

    Images of arrays have paths such as x_test[3], below that of the file where others are named too.

    Args:
        references: Paths, patterns, or STDIN. A pattern that is the path of an existing file is that file.
        lines: The paths that STDIN stands for, iterated once. They are no patterns. A path that does not
            exist is an unreadable image.
        known: Range of pixels that the model was trained on; it holds for arrays of pixels within it.

    Raises:
        DataError: a reference names no image, or STDIN is named twice.
    """

    def __init__(
        self, references: Iterable[str], lines: Iterable[str] = (), known: PixelRange = FULL_RANGE
    ) -> None:
        self._references = [expanded(reference) for reference in references]
        self._lines = lines
        self._known = known
        self._archives: dict[str, list[InputImage]] = {}
        self.notes: list[str] = []
        """Sentences for the user on the pixels of named arrays."""
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
                yield from _images_at(line, self._known)
        elif images := self._archives.get(reference):
            yield from images
        elif os.path.lexists(reference):
            yield from _images_at(reference, self._known)
        else:
            yield from _matched(reference, self._known)

    def _require_images(self, reference: str) -> None:
        name = printable(reference)
        if _is_array_file(reference):
            alone = len(self._references) == 1
            prefix = "" if alone else f"{in_utf8(reference)}/"
            self._archives[reference], notes = _images_in_arrays(reference, prefix, self._known)
            self.notes += [f"{name}: {text}" for text in notes]
        elif archive := _archive_at(reference):
            self._archives[reference] = _images_in(archive, reference)
        elif not os.path.lexists(reference):
            if not glob.has_magic(reference):
                raise DataError(f"there is no '{name}'. {_ALLOWED}. Correct the path.")
            if next(_glob(reference), None) is None:
                raise DataError(
                    f"the pattern '{name}' matches nothing. {_ALLOWED}. Correct it, or the folder you are in."
                )
        if next(self._named(reference), None) is None:
            suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
            raise DataError(f"there are no images in '{name}'. Image files end in {suffixes}. Give others.")


def _images_in(archive: ArchiveSource, path: str) -> list[InputImage]:
    """Return the images of an archive, which need not lie in class folders."""
    found = archive.contents()
    return [
        InputImage(f"{in_utf8(path)}/{image.path}", image.handle, found.open_reader)
        for image in sorted(found.images)
    ]


def _images_in_arrays(path: str, prefix: str, known: PixelRange) -> tuple[list[InputImage], tuple[str, ...]]:
    """Return the images of a .npz or .npy file without their labels, and sentences on them."""
    source = NpzSource(Path(path)) if suffix_of(path) == "npz" else NpySource(Path(path))
    found = source.images(known)
    images = zip(found.paths, found.handles, strict=True)
    return [InputImage(f"{prefix}{name}", pixels, open_reader) for name, pixels in images], found.notes


def _images_at(path: str, known: PixelRange) -> Iterator[InputImage]:
    """Yield the images of a path; an unreadable image where there is none."""
    if Path(path).is_dir():
        for found, error in walk_images(path):
            if error:
                yield _unreadable(found, f"cannot be listed ({error.strerror})")
            else:
                yield InputImage(in_utf8(found), found, _open_files)
        return
    try:
        if _is_array_file(path):
            yield from _images_in_arrays(path, f"{in_utf8(path)}/", known)[0]
        elif archive := _archive_at(path):
            yield from _images_in(archive, path)
        else:
            yield InputImage(in_utf8(path), path, _open_files)
    except DataError as error:
        yield _unreadable(path, str(error))


def _matched(pattern: str, known: PixelRange) -> Iterator[InputImage]:
    folders: set[Path] = set()
    for match in sorted(_glob(pattern)):  # a folder before its content
        path = Path(match)
        if folders and not folders.isdisjoint(path.parents):
            continue
        if path.is_dir():
            folders.add(path)
        yield from _images_at(match, known)


def _glob(pattern: str) -> Iterator[str]:
    # That of pathlib changes how a path is written, and cannot do absolute ones.
    return glob.iglob(pattern, recursive=True)  # noqa: PTH207


def _archive_at(path: str) -> ArchiveSource | None:
    return None if suffix_of(path) in IMAGE_SUFFIXES or "\0" in path else archive_at(Path(path))


def _is_array_file(path: str) -> bool:
    return suffix_of(path) in ("npz", "npy") and "\0" not in path and Path(path).is_file()


def _unreadable(path: str, reason: str) -> InputImage:
    return InputImage(in_utf8(path), reason, lambda: nullcontext(_refuse))


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
