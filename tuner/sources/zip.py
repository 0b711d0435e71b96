"""A zip archive, read in place and checked for entries that could do harm."""

from __future__ import annotations

import bz2
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import IO, BinaryIO

from tuner.errors import DataError
from tuner.path_names import printable
from tuner.sources import members
from tuner.sources.file_kinds import NUM_FIRST_BYTES
from tuner.sources.listing import UnreadableError, require_image_size
from tuner.sources.members import (
    AGAIN,
    Archive,
    Form,
    Member,
    checked,
    legacy_encoding,
    note_of_names,
    unreadable,
)

MAX_RATIO = 200
"""Most times its packed size that a file may unpack to; more is a compression bomb ..."""
RATIO_FREE_BYTES = 2**20
"""... unless it unpacks to this many bytes at most: a small blank picture packs very well."""

_END_RECORD = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_MAX_COMMENT_BYTES = 2**16
_ZIP64_END_BYTES = 56 + 20
_LOCAL_HEADER = struct.Struct("<4s22x2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_SPANNED_SIGNATURE = b"PK\x07\x08"
_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_FIRST_PACKED_BYTES = 2**20
"""Packed bytes that are enough for the beginning of a file: bzip2 unpacks blocks of 900 kB."""


def is_zip(first: bytes) -> bool:
    """Tell a zip archive by its first bytes."""
    return first.startswith((_LOCAL_SIGNATURE, _END_SIGNATURE, _SPANNED_SIGNATURE))


def zip_archive(path: Path, location: str) -> Archive:
    """Return a zip archive.

    Raises:
        DataError: it is damaged, only a part, encrypted, or made to exhaust a machine.
    """
    try:
        archive_bytes = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise damaged(location, str(error)) from error
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED_FLAG:
            raise DataError(
                f"{location}: entry '{printable(entry.filename)}' is encrypted. Allowed are archives without "
                f"a password. Unpack it and give the folder."
            )
    if sum(entry.compress_size for entry in entries) > archive_bytes:
        raise DataError(
            f"{location}: its entries claim more packed bytes than the archive has. "
            f"Entries that overlap are not allowed; such archives are made to exhaust a machine. {AGAIN}"
        )
    odd = [name for entry in entries if not (name := _undeclared_name(entry)).isascii()]
    encoding = legacy_encoding(odd)
    return Archive(
        path,
        location,
        checked((_member(entry, encoding) for entry in entries), location),
        partial(_read, location),
        _first_bytes,
        _false_size,
        note_of_names(encoding, odd),
    )


@contextmanager
def open_entry(archive: Archive, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """Open a file of a zip archive as a stream of its unpacked bytes, never more than it claims."""
    with zipfile.ZipFile(archive.path) as opened, opened.open(entry) as stream:
        yield stream


def _member(entry: zipfile.ZipInfo, encoding: str) -> Member:
    undeclared = _undeclared_name(entry)
    name = undeclared.decode(encoding) if undeclared else _unicode_name(entry) or entry.filename
    path = name.replace("\\", "/")  # some Windows tools write backslashes
    form = stat.S_IFMT(entry.external_attr >> 16)
    kind: Form = "file"
    if form not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "link"
    elif path.endswith("/") or form == stat.S_IFDIR:
        kind = "folder"
    return Member(path, entry.file_size, entry, kind)


def _undeclared_name(entry: zipfile.ZipInfo) -> bytes:
    """Return the bytes of a name that does not say its encoding, none of another."""
    if entry.flag_bits & _UTF8_FLAG or _unicode_name(entry):
        return b""
    return _raw_name(entry)


def _raw_name(entry: zipfile.ZipInfo) -> bytes:
    """Return the bytes of a name, which zipfile has decoded from cp437."""
    return entry.orig_filename.partition("\0")[0].encode("cp437", "replace")


def _unicode_name(entry: zipfile.ZipInfo) -> str | None:
    """Return the name in the field that Info-ZIP and WinRAR add to an entry, None without one."""
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 0x7075 and size > 5:
            crc = int.from_bytes(extra[5:9], "little")
            # Another checksum means that a tool has changed the name, and not the field.
            if crc == zlib.crc32(_raw_name(entry)):
                return extra[9 : 4 + size].decode("utf-8", "replace")
        extra = extra[4 + size :]
    return None


def _false_size(entry: zipfile.ZipInfo) -> str | None:
    size, packed = entry.file_size, entry.compress_size
    if entry.compress_type not in _METHODS:
        return f"is packed with method {entry.compress_type}. Allowed: stored, deflated, bzip2 and LZMA"
    if entry.compress_type == zipfile.ZIP_STORED and size != packed:
        return f"claims {size:,} bytes but is stored in {packed:,}. Allowed: the same number"
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * packed:
        return f"claims to unpack {packed:,} bytes to {size:,}. Allowed: {MAX_RATIO} times as many"
    return None


def _read(location: str, file: BinaryIO, entry: zipfile.ZipInfo) -> bytes:
    """Return the unpacked bytes of an entry, never more than it claims.

    `zipfile` would parse the whole directory again for each thread, and a shared ZipFile is not safe between
    threads before Python 3.12.
    """
    require_image_size(max(entry.file_size, entry.compress_size))
    # One byte more than claimed, to see a false claim.
    data = _unpacked(file, entry, entry.compress_size, entry.file_size + 1)
    if len(data) > entry.file_size:
        raise DataError(
            f"{location}: entry '{printable(entry.filename)}' unpacks to more than it claims. "
            f"Allowed: {entry.file_size:,} bytes; such archives are made to exhaust machines. {AGAIN}"
        )
    if len(data) < entry.file_size or zlib.crc32(data) != entry.CRC:
        raise UnreadableError("damaged in the archive")
    return data


def _first_bytes(file: BinaryIO, entry: zipfile.ZipInfo) -> bytes:
    return _unpacked(file, entry, min(entry.compress_size, _FIRST_PACKED_BYTES), NUM_FIRST_BYTES)


def _unpacked(file: BinaryIO, entry: zipfile.ZipInfo, packed: int, most: int) -> bytes:
    """Return `most` unpacked bytes at most, 1 or more, of the first `packed` bytes of an entry."""
    file.seek(max(0, entry.header_offset))
    header = file.read(30)
    if len(header) < 30 or not header.startswith(_LOCAL_SIGNATURE):
        raise UnreadableError("its place in the archive is damaged")
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    file.seek(name_bytes + extra_bytes, 1)
    data = file.read(packed)
    try:
        match entry.compress_type:
            case zipfile.ZIP_STORED:
                return data[:most]
            case zipfile.ZIP_DEFLATED:
                return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)
            case zipfile.ZIP_BZIP2:
                return bz2.BZ2Decompressor().decompress(data, most)
            case zipfile.ZIP_LZMA:
                return _unpacked_lzma(data, most)
    except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, struct.error) as error:
        raise UnreadableError("damaged in the archive") from error
    raise UnreadableError(f"packed with method {entry.compress_type}")


def _unpacked_lzma(data: bytes, most: int) -> bytes:
    """Return bytes of an entry whose stream begins with a version, a size and the properties of LZMA."""
    packing, dictionary = struct.unpack_from("<BL", data, 4)
    rest, lc = divmod(packing, 9)
    pb, lp = divmod(rest, 5)
    # No entry looks back further than it is long, and the decoder takes the whole dictionary into memory.
    filters = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb}
    filters["dict_size"] = min(dictionary, max(most, 2**12))
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])
    return decoder.decompress(data[4 + struct.unpack_from("<H", data, 2)[0] :], most)


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
        raise unreadable(printable(str(path)), error) from error


def damaged(location: str, reason: str) -> DataError:
    """Return the error for an archive that cannot be opened; `reason` in a few words."""
    return members.damaged(location, "zip", reason)
