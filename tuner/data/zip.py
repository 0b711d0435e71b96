"""A zip archive as a source, read in place and checked for entries that could do harm."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from tuner.data.arrangement import TreeSource
from tuner.data.contents import Contents, File
from tuner.data.listing import (
    MAX_IMAGE_BYTES,
    Reader,
    UnreadableError,
    is_image_path,
    printable,
)
from tuner.data.table_files import is_table
from tuner.errors import DataError

MAX_RATIO = 200
"""Most times its packed size that an image may unpack to; more is a compression bomb ..."""
RATIO_FREE_BYTES = 2**20
"""... unless it unpacks to this many bytes at most: a small blank picture packs very well."""

_END_RECORD = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_MAX_COMMENT_BYTES = 2**16
_ZIP64_END_BYTES = 56 + 20
_LOCAL_HEADER = struct.Struct("<4s22x2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED_FLAG = 0x1
_DRIVE = re.compile("[A-Za-z]:")
_AGAIN = "Download or pack the archive again."


class ZipSource(TreeSource):
    """Images in a zip archive. Nothing is unpacked to disk.

    The whole archive is refused when an entry has an absolute path or `..` in its path, is a link, is
    encrypted, or claims an impossible size. The message names the entry.
    """

    def digest(self) -> str:
        """Return the hash of the archive's central directory: names, sizes, times and CRCs of all entries."""
        return directory_digest(self.path)

    def contents(self) -> Contents:
        files = [File(printable(path), entry.file_size, entry) for path, entry in self.images().items()]
        return Contents(
            [file for file in files if not is_table(file.path)],
            self.open_reader,
            [file for file in files if is_table(file.path)],
        )

    def images(self) -> dict[str, zipfile.ZipInfo]:
        """Return the entry of each image by its path, in any folder.

        Raises:
            DataError: the archive is damaged, or refused.
        """
        try:
            archive_bytes = self.path.stat().st_size
            with zipfile.ZipFile(self.path) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            raise damaged(self.location, str(error)) from error
        images: dict[str, zipfile.ZipInfo] = {}  # of two entries with one name the later counts, as unpacked
        for entry in entries:
            path = entry.filename.replace("\\", "/")  # some Windows tools write backslashes
            # Some tools write ./real/1.png, which is no hidden file.
            clean = "/".join(part for part in path.split("/") if part not in ("", "."))
            is_image = not path.endswith("/") and (is_image_path(clean) or _is_table(clean))
            if problem := _unsafe(entry, path) or (is_image and _oversized(entry)):
                raise DataError(
                    f"{self.location}: entry '{printable(path)}' {problem}. "
                    f"Pack the archive again without it."
                )
            if is_image:
                images[clean] = entry
        if sum(entry.compress_size for entry in images.values()) > archive_bytes:
            raise DataError(
                f"{self.location}: its entries claim more packed bytes than the archive has. "
                f"Entries that overlap are not allowed; such archives are made to exhaust a machine. {_AGAIN}"
            )
        return images

    @contextmanager
    def open_reader(self) -> Iterator[Reader]:
        """Open the archive once more: each thread has a handle of its own, all share the directory.

        `zipfile` would parse the whole directory again for each handle, and a shared ZipFile is not safe
        between threads before Python 3.12.
        """
        try:
            with self.path.open("rb") as file:
                yield lambda entry: self._read(file, entry)
        except OSError as error:
            raise _unreadable(self.location, error) from error

    def _read(self, file: BinaryIO, entry: zipfile.ZipInfo) -> bytes:
        """Return the unpacked bytes of an entry, never more than it claims."""
        file.seek(entry.header_offset)
        header = file.read(30)
        if len(header) < 30 or not header.startswith(_LOCAL_SIGNATURE):
            raise UnreadableError("its place in the archive is damaged")
        _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        file.seek(name_bytes + extra_bytes, 1)
        data = file.read(entry.compress_size)
        if entry.compress_type == zipfile.ZIP_DEFLATED:
            try:  # one byte more than claimed, to see a false claim
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.file_size + 1)
            except zlib.error as error:
                raise UnreadableError("damaged in the archive") from error
        if len(data) > entry.file_size:
            raise DataError(
                f"{self.location}: entry '{printable(entry.filename)}' unpacks to more than it claims. "
                f"Allowed: {entry.file_size:,} bytes; such archives are made to exhaust machines. {_AGAIN}"
            )
        if len(data) < entry.file_size or zlib.crc32(data) != entry.CRC:
            raise UnreadableError("damaged in the archive")
        return data


def _is_table(path: str) -> bool:
    return is_table(path) and not path.startswith((".", "__MACOSX/")) and "/." not in path


def _unsafe(entry: zipfile.ZipInfo, path: str) -> str | None:
    """Return why an entry could do harm, None where it could not."""
    allowed = "Allowed are plain files with relative paths"
    if path.startswith("/") or _DRIVE.match(path) or ".." in path.split("/"):
        return f"has a path that leads out of the archive. {allowed}"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return f"is a symbolic link. {allowed}"
    if entry.flag_bits & _ENCRYPTED_FLAG:
        return f"is encrypted. {allowed}"
    return None


def _oversized(entry: zipfile.ZipInfo) -> str | None:
    """Return why the size of an image cannot be true or is too large, None where neither holds."""
    size, packed = entry.file_size, entry.compress_size
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is packed with method {entry.compress_type}. Allowed: stored and deflated"
    if size > MAX_IMAGE_BYTES:
        return f"claims {size:,} bytes. Allowed: {MAX_IMAGE_BYTES:,} an image"
    if entry.compress_type == zipfile.ZIP_STORED and size != packed:
        return f"claims {size:,} bytes but is stored in {packed:,}. Allowed: the same number"
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * packed:
        return f"claims to unpack {packed:,} bytes to {size:,}. Allowed: {MAX_RATIO} times as many"
    return None


def directory_digest(path: Path) -> str:
    """Return a hash of a zip archive's central directory, read in one piece from the end of the file.

    Entries are not parsed, so that a data set with many thousand images is recognised in milliseconds.

    Raises:
        DataError: the file cannot be read, or has no central directory.
    """
    try:
        with path.open("rb") as file:
            total = file.seek(0, 2)
            file.seek(max(0, total - _END_RECORD.size - _MAX_COMMENT_BYTES))
            tail = file.read()
            at = tail.rfind(_END_SIGNATURE)
            if at < 0 or len(tail) - at < _END_RECORD.size:
                raise damaged(printable(str(path)), "it has no central directory")
            directory_bytes = _END_RECORD.unpack_from(tail, at)[5]
            # The directory ends where the end record begins, or a fixed zip64 record earlier.
            wanted = len(tail) - at + _ZIP64_END_BYTES + directory_bytes
            file.seek(max(0, total - wanted))
            return blake2b(file.read() + str(total).encode(), digest_size=16).hexdigest()
    except OSError as error:
        raise _unreadable(printable(str(path)), error) from error


def _unreadable(location: str, error: OSError) -> DataError:
    return DataError(
        f"{location}: cannot be read ({error.strerror or error}). "
        f"A data set must be a readable file. Change its permissions or give another."
    )


def damaged(location: str, reason: str) -> DataError:
    """Return the error for an archive that cannot be opened; `reason` in a few words."""
    return DataError(
        f"{location}: is no zip archive, or only a part of one ({reason}). "
        f"Allowed: a whole .zip or .npz. {_AGAIN}"
    )
