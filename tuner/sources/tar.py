"""A tar archive without compression, read in place, and the compressions that tar archives come in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from tuner.errors import one_line
from tuner.sources.file_kinds import NUM_FIRST_BYTES
from tuner.sources.listing import require_image_size
from tuner.sources.members import (
    Archive,
    Form,
    Member,
    checked,
    damaged,
    legacy_encoding,
    note_of_names,
    unreadable,
)

SUFFIXES = frozenset(("tar", "gz", "tgz", "xz", "txz", "bz2", "tbz", "tbz2"))

BLOCK_BYTES = tarfile.BLOCKSIZE
"""Bytes at the beginning of a file that `is_tar` needs."""
_MAX_HEADER_BYTES = 2**20
_SURROGATES = re.compile("[\udc80-\udcff]")
_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}


class _Place(NamedTuple):
    """Where the bytes of a member are in the archive."""

    offset: int
    size: int


def is_compressed(first: bytes) -> bool:
    """Tell by its first bytes whether a file is compressed with gzip, bzip2 or xz."""
    return first.startswith(tuple(_OPENERS))


def is_tar(first: bytes) -> bool:
    """Tell a tar archive by its first 512 bytes; zeros are the end mark of an empty one."""
    if first[:BLOCK_BYTES] == bytes(BLOCK_BYTES):
        return True
    try:
        tarfile.TarInfo.frombuf(first[:BLOCK_BYTES], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """Return a stream of the bytes of a file, without their compression where they have one."""
    first = file.read(max(map(len, _OPENERS)))
    file.seek(0)
    opener = next((opener for signature, opener in _OPENERS.items() if first.startswith(signature)), None)
    plain: IO[bytes] = opener(file) if opener else file
    return plain


def tar_archive(path: Path, location: str) -> Archive:
    """Return a tar archive without compression.

    Raises:
        DataError: it is damaged, or only a part.
    """
    try:
        with path.open("rb") as file:
            found = _entries(file)
    except OSError as error:
        raise unreadable(location, error) from error
    except Exception as error:  # tarfile meets rubbish with errors of many kinds
        raise damaged(location, "tar", one_line(error)) from error
    # Surrogates stand for the bytes of a name that is not UTF-8.
    odd = [_as_bytes(entry.name) for entry in found if _SURROGATES.search(entry.name)]
    encoding = legacy_encoding(odd)
    members = checked((_member(entry, encoding) for entry in found), location)
    return Archive(path, location, members, _read, _first_bytes, notes=note_of_names(encoding, odd))


def _member(entry: tarfile.TarInfo, encoding: str) -> Member:
    name = entry.name
    if _SURROGATES.search(name):
        name = _as_bytes(name).decode(encoding)
    form: Form = "link"
    if entry.isdir():
        form = "folder"
    elif entry.isreg() and not entry.issparse():  # a sparse file is in pieces
        form = "file"
    return Member(name, entry.size, _Place(entry.offset_data, entry.size), form)


def _entries(file: BinaryIO) -> list[tarfile.TarInfo]:
    headers = _Headers(file)
    with tarfile.open(fileobj=headers, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        found = archive.getmembers()
    if headers.last.strip(b"\0") or len(headers.last) < BLOCK_BYTES:  # tarfile takes damage for the end
        raise tarfile.ReadError("its end mark is missing")
    return found


class _Headers(io.RawIOBase):
    """A file for tarfile, which takes headers of any size into memory and follows sizes below zero."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.last = b""
        """Bytes that were read last."""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        self.last = self._file.read(size)
        return self.last

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if not self.tell() <= offset < self._size:
            raise tarfile.ReadError(f"a file in it ends at byte {offset + 1:,} of {self._size:,}")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _as_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _read(file: BinaryIO, place: _Place) -> bytes:
    require_image_size(place.size)
    file.seek(place.offset)
    return file.read(place.size)


def _first_bytes(file: BinaryIO, place: _Place) -> bytes:
    return _read(file, place._replace(size=min(place.size, NUM_FIRST_BYTES)))
