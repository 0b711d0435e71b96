"""A folder of images as a source, and the image files below any folder."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from tuner.errors import DataError
from tuner.path_names import printable
from tuner.sources.arrangement import TreeSource
from tuner.sources.contents import Contents, File
from tuner.sources.file_kinds import NUM_FIRST_BYTES, is_image_content, is_junk_folder, kind_of, suffix_of
from tuner.sources.listing import Reader, UnreadableError, read_file, require_image_size
from tuner.sources.passed_over import junk_notes

NOT_A_FILE = -1
"""Size of a pipe, a device or a dangling link that has the name of an image."""
MAX_JUNK_IMAGES = 1000
"""Images that are counted in one junk folder, at most: a network drive may keep three for each photograph."""

# The digest covers bytes from the middle of this many files: names, sizes and times alone may be equal.
_SAMPLED_FILES = 32
_SAMPLE_BYTES = 4096
_FILES_PER_REPORT = 250


# Plain tuples: there may be millions.
Found = tuple[str, Literal["image", "table", "other", "junk", "empty", "unlisted"], OSError | None]
"""Path and kind of a file or folder that a walk comes to.

"junk" is a folder that a system made, "empty" one without any file in it or below, "unlisted" one with an
error.
"""
_Stated = tuple[str, int, int]
"""Path of a file whose content may change the data set, size in bytes, modification time in ns."""


class _Tree(NamedTuple):
    """All that a walk found; paths are relative to its folder."""

    images: list[_Stated]
    tables: list[_Stated]
    passed_over: Counter[tuple[str, str]]
    empty_folders: list[str]
    junk_images: Counter[str]
    """Name of a junk folder -> images in all of that name."""


class FolderSource(TreeSource):
    """Images below a folder. Links to folders are followed, but never in a circle."""

    @property
    def name(self) -> str:
        """Name of the folder; kagglehub keeps a data set as <name>/versions/<number>."""
        if self.path.name.isdecimal() and self.path.parent.name == "versions":
            return self.path.parent.parent.name
        return self.path.name

    def digest(self) -> str:
        """Return a hash of the relative path, size and modification time of every image and table.

        It also covers a few KiB of some files, evenly spread: other images may have the same paths, sizes
        and times after they are extracted again, or in a format of fixed size. Of other files and of empty
        folders it covers all that `contents` says.
        """
        tree = self._found
        files = [*tree.images, *tree.tables]
        lines = "".join([f"{path}\0{size}\0{modified_ns}\n" for path, size, modified_ns in files])
        rest = sorted(tree.passed_over.items()), tree.empty_folders, sorted(tree.junk_images.items())
        found = blake2b(f"{lines}{rest}".encode("utf-8", "surrogateescape"), digest_size=16)
        for path, size, _ in files[:: max(1, -(-len(files) // _SAMPLED_FILES))]:
            found.update(_sample(f"{self.path}/{path}", size))
        return found.hexdigest()

    def contents(self) -> Contents:
        tree = self._found
        return Contents(
            self._files(tree.images),
            open_files,
            self._files(tree.tables),
            tree.passed_over,
            tuple(tree.empty_folders),
            junk_notes(tree.junk_images),
        )

    def _files(self, files: list[_Stated]) -> list[File]:
        return [File(printable(path), max(size, 0), (f"{self.path}/{path}", size)) for path, size, _ in files]

    @cached_property
    def _found(self) -> _Tree:
        root = str(self.path)
        start = len(root.rstrip("/")) + 1
        tree = _Tree([], [], Counter(), [], Counter())
        for number, (path, kind, error) in enumerate(walk(root), 1):
            if number % _FILES_PER_REPORT == 0:
                self.listed(number)
            if kind == "image":
                tree.images.append(_stated(path, start))
            elif kind == "table":
                tree.tables.append(_stated(path, start))
            elif kind == "other":
                folder = printable(path[start:].rpartition("/")[0])
                tree.passed_over[folder, printable(suffix_of(path))] += 1
            elif kind == "empty":
                tree.empty_folders.append(printable(path[start:]))
            elif kind == "junk":
                images = islice(walk_images(path), MAX_JUNK_IMAGES)
                tree.junk_images[path.rpartition("/")[2]] += sum(1 for _, error in images if not error)
            elif error:
                raise DataError(
                    f"{printable(path)}: cannot be listed ({error.strerror}). "
                    f"Every folder of a data set must be readable. Change its permissions or move it out."
                ) from error
        return tree


def walk_images(folder: str) -> Iterator[tuple[str, OSError | None]]:
    """Yield the path of each image file below a folder, in order; a folder that cannot be listed too."""
    for path, kind, error in walk(folder):
        if kind == "image" or error:
            yield path, error


def walk(folder: str, above: Sequence[tuple[int, int]] = ()) -> Generator[Found, None, bool]:
    """Yield the files below a folder, in the order of their paths; return whether there is any.

    Hidden files and folders are left out, and the files of junk folders. Links to folders are followed, but
    never in a circle. Of a file that the name does not tell, the first bytes are read. A folder that cannot
    be listed comes with its error. The names of one folder are in memory at a time.

    Args:
        above: Device and inode of each folder above this one, up to the first.
    """
    try:
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return True
        with os.scandir(folder) as entries:
            # With a slash at their end, folders sort among files as the whole paths do.
            names = sorted(entry.name + "/" * _is_folder(entry) for entry in entries)
    except OSError as error:
        yield folder, "unlisted", error
        return True
    prefix = folder if folder.endswith("/") else f"{folder}/"
    holds_files, empty = False, []
    for name in names:
        path = prefix + name
        if name.endswith("/"):
            path = path[:-1]
            if is_junk_folder(name[:-1]):
                yield path, "junk", None
            elif not name.startswith("."):
                if (yield from walk(path, (*above, identity))):
                    holds_files = True
                else:
                    empty.append(path)
        elif (kind := kind_of(name)) != "junk":
            holds_files = True
            yield path, _kind_by_content(path) if kind == "unknown" else kind, None
    if holds_files:  # else this folder itself is the empty one
        for path in empty:
            yield path, "empty", None
    return holds_files


def file_size(status: os.stat_result) -> int:
    """Return the size of a file in bytes, NOT_A_FILE for anything but a regular file."""
    return status.st_size if stat.S_ISREG(status.st_mode) else NOT_A_FILE


def read_image_file(path: str, size: int) -> bytes:
    """Return the bytes of an image file, `size` at most, even where the file has grown.

    Raises:
        UnreadableError: it is no regular file, too large, or cannot be read.
    """
    if size == NOT_A_FILE:  # opening a pipe would wait for ever
        raise UnreadableError("not a regular file")
    require_image_size(size)
    try:
        return read_file(path, size)
    except OSError as error:
        raise UnreadableError(error.strerror or "cannot be read") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        # A link to itself is no folder. Anything else may be a whole class: to list it gives the error.
        return error.errno != errno.ELOOP


def _kind_by_content(path: str) -> Literal["image", "other"]:
    try:
        # Opening a pipe would wait for ever.
        is_file = file_size(os.stat(path)) != NOT_A_FILE  # noqa: PTH116
        return "image" if is_file and is_image_content(read_file(path, NUM_FIRST_BYTES)) else "other"
    except OSError:
        return "other"


def _stated(path: str, start: int) -> _Stated:
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path costs more, once an image
        return path[start:], file_size(status), status.st_mtime_ns
    except OSError:  # a dangling link: its reader gives the reason
        return path[start:], NOT_A_FILE, 0


def _sample(path: str, size: int) -> bytes:
    """Return bytes from the middle of a file, none of an unreadable one."""
    if size <= 0:
        return b""
    try:
        return read_file(path, _SAMPLE_BYTES, start=max(0, (size - _SAMPLE_BYTES) // 2))
    except OSError:
        return b""


def open_files() -> AbstractContextManager[Reader]:
    """Open the reader of image files, each by its path and size."""
    return nullcontext(lambda handle: read_image_file(*handle))
