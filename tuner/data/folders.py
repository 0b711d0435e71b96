"""A folder of images as a source."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from tuner.data.listing import (
    MAX_IMAGE_BYTES,
    File,
    Listing,
    Reader,
    UnreadableError,
    arrange,
    is_image_path,
    printable,
    read_file,
)
from tuner.data.nested_copies import without_copies
from tuner.errors import DataError

NOT_A_FILE = -1
"""Size of what has an image's name but is no regular file: a pipe, a device, a dangling link."""

# Bytes of so many files, from the middle of each, tell apart what has the same names, sizes and times.
_SAMPLED_FILES = 32
_SAMPLE_BYTES = 4096


@dataclass(frozen=True)
class FolderSource:
    """Images below a folder. Links to folders are followed, but never round in a circle."""

    path: Path

    @property
    def location(self) -> str:
        return printable(str(self.path))

    @property
    def name(self) -> str:
        """Name of the folder; kagglehub keeps a data set as <name>/versions/<number>."""
        if self.path.name.isdecimal() and self.path.parent.name == "versions":
            return self.path.parent.parent.name
        return self.path.name

    def digest(self) -> str:
        """Return a hash of the relative path, size and modification time of every image file.

        Of some files, spread evenly, it covers a few KiB too: extracted again, or in a format of fixed size,
        other images have all of these alike.
        """
        lines = "".join([f"{path}\0{size}\0{modified_ns}\n" for path, size, modified_ns in self._found])
        found = blake2b(lines.encode("utf-8", "surrogateescape"), digest_size=16)
        for path, size, _ in self._found[:: max(1, -(-len(self._found) // _SAMPLED_FILES))]:
            found.update(_sample(f"{os.fspath(self.path)}/{path}", size))
        return found.hexdigest()

    def listing(self) -> Listing:
        root = os.fspath(self.path)
        files = [
            File(printable(path), max(size, 0), (f"{root}/{path}", size)) for path, size, _ in self._found
        ]
        return arrange(without_copies(files, _open_reader), self.location, _open_reader)

    @cached_property
    def _found(self) -> list[tuple[str, int, int]]:
        """Relative path, size in bytes and modification time in ns of every image file, sorted by path."""
        try:
            status = self.path.stat()
            return sorted(_walk(os.fspath(self.path), "", [(status.st_dev, status.st_ino)]))
        except OSError as error:
            raise DataError(
                f"{printable(str(error.filename))}: cannot be listed ({error.strerror}). "
                f"Every folder of a data set must be readable. Change its permissions or move it out."
            ) from error


def _walk(root: str, prefix: str, above: list[tuple[int, int]]) -> Iterator[tuple[str, int, int]]:
    """Yield the image files below root/prefix; `above` identifies the folders on the way down to it."""
    with os.scandir(f"{root}/{prefix}") as entries:
        for entry in entries:
            path = prefix + entry.name
            if _is_folder(entry):
                if entry.name.startswith("."):
                    continue
                status = entry.stat()
                identity = (status.st_dev, status.st_ino)
                if identity not in above:
                    yield from _walk(root, path + "/", [*above, identity])
            elif is_image_path(path):
                try:
                    status = entry.stat()
                except OSError:  # a dangling link: listed now, skipped with its reason when it is read
                    yield path, NOT_A_FILE, 0
                    continue
                size = status.st_size if stat.S_ISREG(status.st_mode) else NOT_A_FILE
                yield path, size, status.st_mtime_ns


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno != errno.ELOOP:  # what may not be looked at could be a whole class
            raise
        return False  # a link to itself leads nowhere


def _sample(path: str, size: int) -> bytes:
    """Bytes from the middle of a file; none of one that cannot be read, which its reader will report."""
    if size <= 0:
        return b""
    try:
        return read_file(path, _SAMPLE_BYTES, start=max(0, (size - _SAMPLE_BYTES) // 2))
    except OSError:
        return b""


def _open_reader() -> AbstractContextManager[Reader]:
    return nullcontext(_read)


def _read(handle: tuple[str, int]) -> bytes:
    path, size = handle
    if size == NOT_A_FILE:  # opening a pipe would wait for ever
        raise UnreadableError("not a regular file")
    if size > MAX_IMAGE_BYTES:
        raise UnreadableError(f"{size:,} bytes, more than {MAX_IMAGE_BYTES:,}")
    try:
        return read_file(path, size)  # no more, even where the file grew since it was listed
    except OSError as error:
        raise UnreadableError(error.strerror or "cannot be read") from error
