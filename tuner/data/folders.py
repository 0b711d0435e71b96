"""A folder of images as a source, and the image files below any folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from tuner.data.arrangement import TreeSource
from tuner.data.contents import Contents, File
from tuner.data.listing import (
    MAX_IMAGE_BYTES,
    Reader,
    UnreadableError,
    is_image_path,
    printable,
    read_file,
)
from tuner.data.table_files import is_table
from tuner.errors import DataError

NOT_A_FILE = -1
"""Size of a pipe, a device or a dangling link that has the name of an image."""

# The digest covers bytes from the middle of this many files: names, sizes and times alone may be equal.
_SAMPLED_FILES = 32
_SAMPLE_BYTES = 4096


class FolderSource(TreeSource):
    """Images below a folder. Links to folders are followed, but never in a circle."""

    @property
    def name(self) -> str:
        """Name of the folder; kagglehub keeps a data set as <name>/versions/<number>."""
        if self.path.name.isdecimal() and self.path.parent.name == "versions":
            return self.path.parent.parent.name
        return self.path.name

    def digest(self) -> str:
        """Return a hash of the relative path, size and modification time of every image file.

        It also covers a few KiB of some files, evenly spread: other images may have the same paths, sizes
        and times after they are extracted again, or in a format of fixed size.
        """
        lines = "".join([f"{path}\0{size}\0{modified_ns}\n" for path, size, modified_ns in self._found])
        found = blake2b(lines.encode("utf-8", "surrogateescape"), digest_size=16)
        for path, size, _ in self._found[:: max(1, -(-len(self._found) // _SAMPLED_FILES))]:
            found.update(_sample(f"{self.path}/{path}", size))
        return found.hexdigest()

    def contents(self) -> Contents:
        images = [
            File(printable(path), max(size, 0), (f"{self.path}/{path}", size))
            for path, size, _ in self._found
        ]
        tables = [file for file in images if is_table(file.path)]
        return Contents([file for file in images if not is_table(file.path)], _open_reader, tables)

    @cached_property
    def _found(self) -> list[tuple[str, int, int]]:
        """Relative path, size in bytes and modification time in ns of every image file, sorted by path."""
        root, found = str(self.path), []
        for path, error in walk_images(root, is_wanted=_is_image_or_table):
            if error:
                raise DataError(
                    f"{printable(path)}: cannot be listed ({error.strerror}). "
                    f"Every folder of a data set must be readable. Change its permissions or move it out."
                ) from error
            try:
                status = os.stat(path)  # noqa: PTH116 - a Path costs more, once an image
                size, modified_ns = file_size(status), status.st_mtime_ns
            except OSError:  # a dangling link: its reader gives the reason
                size, modified_ns = NOT_A_FILE, 0
            found.append((path[len(root) :].lstrip("/"), size, modified_ns))
        return found


def walk_images(
    folder: str, above: Sequence[tuple[int, int]] = (), is_wanted: Callable[[str], bool] = is_image_path
) -> Iterator[tuple[str, OSError | None]]:
    """Yield the path of each image file below a folder, in the order of the paths.

    Hidden files and folders are left out. Links to folders are followed, but never in a circle. A folder that
    cannot be listed comes with its error. The names of one folder are in memory at a time.

    Args:
        above: Device and inode of each folder above this one, up to the first.
        is_wanted: Tells by its name whether a file is yielded.
    """
    try:
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return
        with os.scandir(folder) as entries:
            # With a slash at their end, folders sort among files as the whole paths do.
            names = sorted(entry.name + "/" * _is_folder(entry) for entry in entries)
    except OSError as error:
        yield folder, error
        return
    prefix = folder if folder.endswith("/") else f"{folder}/"
    for name in names:
        if name.endswith("/"):
            if not name.startswith(".") and name != "__MACOSX/":
                yield from walk_images(prefix + name[:-1], (*above, identity), is_wanted)
        elif is_wanted(name):
            yield prefix + name, None


def _is_image_or_table(name: str) -> bool:
    return is_image_path(name) or (is_table(name) and not name.startswith("."))


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
    if size > MAX_IMAGE_BYTES:
        raise UnreadableError(f"{size:,} bytes, more than {MAX_IMAGE_BYTES:,}")
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


def _sample(path: str, size: int) -> bytes:
    """Return bytes from the middle of a file, none of an unreadable one."""
    if size <= 0:
        return b""
    try:
        return read_file(path, _SAMPLE_BYTES, start=max(0, (size - _SAMPLE_BYTES) // 2))
    except OSError:
        return b""


def _open_reader() -> AbstractContextManager[Reader]:
    return nullcontext(lambda handle: read_image_file(*handle))
