"""A zip or tar archive as a source: read in place, or unpacked once into the cache where it cannot be."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, NamedTuple

from tuner import cache_folder
from tuner.errors import DataError, one_line
from tuner.path_names import printable
from tuner.sources import tar
from tuner.sources.arrangement import TreeSource
from tuner.sources.contents import Contents
from tuner.sources.file_kinds import suffix_of
from tuner.sources.listing import Reader
from tuner.sources.members import Archive, damaged, unreadable
from tuner.sources.tar import decompressed, is_compressed, is_tar, tar_archive
from tuner.sources.zip import MAX_RATIO, directory_digest, is_zip, open_entry, zip_archive

SUFFIXES = tar.SUFFIXES | {"zip"}

_FREE_BYTES = 2**28
"""An archive may unpack to this many bytes, and to MAX_RATIO times its size where that is more."""
_SAMPLES, _SAMPLE_BYTES = 32, 4096
_PIECE_BYTES = 2**20
_UNPACKED, _CHECKSUM = "unpacked", "checksum"
_SHOWN = 3
# The last is for a method of packing that zipfile lacks.
_DAMAGE = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)


@dataclass(frozen=True)
class ArchiveSource(TreeSource):
    """Images in an archive, or in a folder of one; its content tells the kind, not its suffix.

    An archive is refused when an entry has an absolute path or `..` in its path, is encrypted, or claims an
    impossible size. The message names the entry. Links are left out, and a note names them. A compressed tar
    is unpacked into the cache, and so is the archive in an archive that holds nothing else of use.
    """

    below: str = ""
    """Path of the folder in the archive, with `/`."""

    @property
    def location(self) -> str:
        return printable(f"{self.path}/{self.below}" if self.below else str(self.path))

    @property
    def name(self) -> str:
        stem = self.path.stem.removesuffix(".tar")
        return f"{stem}/{self.below}" if self.below else stem

    def digest(self) -> str:
        """Return a hash of the central directory of a zip: names, sizes, times and CRCs of all entries.

        For a tar it covers the size and the modification time, and bytes from all over the file.
        """
        key = _key(self.path, self.location)
        return f"{key}/{self.below}" if self.below else key

    def contents(self) -> Contents:
        """Return the files in the archive, or below the folder in it.

        Raises:
            DataError: the archive is damaged or refused, or has no such folder.
        """
        location = printable(str(self.path))
        key = _key(self.path, location)
        archive = _opened(self.path, location, key)
        inside, below = _archive_inside(archive, printable(self.below))
        if not inside:
            return archive.below(below).contents()
        inner = _unpacked_inside(archive, inside, key)
        deeper, below = _archive_inside(inner, below)
        if deeper:
            raise _too_deep(inner.location, deeper)
        found = _with_tables_of(archive, inner.below(below).contents())
        others = len(archive.files) - 1 - len(archive.contents().tables)
        unused = f"; other files beside it, not used: {others:,}" if others else ""
        return replace(found, notes=(f"{inside} in the archive is opened{unused}", *found.notes))


def archive_at(path: Path) -> ArchiveSource | None:
    """Return the archive at a path, or the folder of an archive that the path names; None without either.

    The first bytes of the file tell an archive, or its suffix where they say nothing.
    """
    file = next((place for place in (path, *path.parents) if place.exists()), path)
    if not file.is_file() or not (_is_any(first_bytes(file)) or suffix_of(file.name) in SUFFIXES):
        return None
    return ArchiveSource(file, "" if file == path else path.relative_to(file).as_posix())


def first_bytes(path: Path) -> bytes:
    """Return the beginning of a file, enough to tell an archive; nothing of one that cannot be read."""
    if not path.is_file():  # opening a pipe would wait for ever
        return b""
    try:
        with path.open("rb") as file:
            return file.read(tar.BLOCK_BYTES)
    except OSError:
        return b""


def _is_any(first: bytes) -> bool:
    return is_zip(first) or is_compressed(first) or is_tar(first)


def _key(path: Path, location: str) -> str:
    return _tar_digest(path) if _is_tar(path, location) else directory_digest(path)


def _is_tar(path: Path, location: str) -> bool:
    """Tell a tar archive, compressed or not, from a zip archive.

    Raises:
        DataError: it cannot be read, or is no archive at all.
    """
    try:
        with path.open("rb") as file:
            first = file.read(tar.BLOCK_BYTES)
    except OSError as error:
        raise unreadable(location, error) from error
    if not first or first.lstrip().startswith(b"<"):
        raise DataError(
            f"{location}: is {'a web page' if first else 'an empty file'}, no archive. "
            f"Allowed: a whole zip or tar archive. Download it again, signed in where the site asks for it."
        )
    if _is_any(first):
        return not is_zip(first)
    return suffix_of(path.name) in tar.SUFFIXES and not zipfile.is_zipfile(path)


def _tar_digest(path: Path) -> str:
    """Return a hash of the size and the modification time of a file, and of pieces of it evenly spread.

    A compressed file ends with checksums of its content.
    """
    status = path.stat()
    found = blake2b(f"{status.st_size} {status.st_mtime_ns}".encode(), digest_size=16)
    last = max(0, status.st_size - _SAMPLE_BYTES)
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(last * number // (_SAMPLES - 1))
            found.update(file.read(_SAMPLE_BYTES))
    return found.hexdigest()


def _opened(path: Path, location: str, key: str) -> Archive:
    """Return the archive at a path, unpacked into the cache where it is compressed as a whole."""
    if not _is_tar(path, location):
        return zip_archive(path, location)
    with path.open("rb") as file:
        if is_compressed(file.read(tar.BLOCK_BYTES)):
            return _kept(key, location, lambda: path.open("rb"), path.stat().st_size)
    return tar_archive(path, location)


def _kept(
    key: str, location: str, open_packed: Callable[[], AbstractContextManager[IO[bytes]]], packed_bytes: int
) -> Archive:
    """Return an archive from the cache; put it there first, whole or not at all."""
    folder = cache_folder.cache_root() / "archives" / key
    path, most = folder / _UNPACKED, max(_FREE_BYTES, MAX_RATIO * packed_bytes)
    if not _is_whole(folder):
        with cache_folder.exclusive(folder):
            if not _is_whole(folder):  # another process may have been faster
                with cache_folder.replacing(folder) as draft:
                    with (draft / _UNPACKED).open("wb") as file:
                        file.writelines(_pieces(location, open_packed, most))
                    (draft / _CHECKSUM).write_text(cache_folder.checksum(draft / _UNPACKED), "ascii")
    return tar_archive(path, location) if _is_tar(path, location) else zip_archive(path, location)


def _is_whole(folder: Path) -> bool:
    """Tell whether an unpacked archive is there as it was written."""
    with cache_folder.readable(folder):
        try:
            return cache_folder.checksum(folder / _UNPACKED).encode() == (folder / _CHECKSUM).read_bytes()
        except PermissionError:
            raise
        except OSError:
            return False


def _pieces(
    location: str, open_packed: Callable[[], AbstractContextManager[IO[bytes]]], most: int
) -> Iterator[bytes]:
    """Yield an archive without its compression, `most` bytes at most.

    Raises:
        DataError: it is damaged, too large, or no archive.
    """
    total = 0
    try:
        with open_packed() as packed:
            stream = decompressed(packed)
            piece = stream.read(tar.BLOCK_BYTES)
            if is_compressed(piece) or not _is_any(piece):
                raise DataError(
                    f"{location}: is compressed, but holds no tar archive. "
                    f"Allowed: a zip or tar archive of images. Pack the folder of images as one."
                )
            while piece:
                if (total := total + len(piece)) > most:
                    raise DataError(
                        f"{location}: unpacks to more than {most:,} bytes, {MAX_RATIO} times its size. "
                        f"Such archives are made to exhaust machines. Unpack it and give the folder."
                    )
                yield piece
                piece = stream.read(_PIECE_BYTES)
    except _DAMAGE as error:
        raise damaged(location, "zip or tar", one_line(error)) from error


def _archive_inside(archive: Archive, below: str) -> tuple[str, str]:
    """Return the path of the archive in an archive that is meant, "" for none, and the folder in it.

    Raises:
        DataError: there are several, and no images.
    """
    inside = sorted(path for path in archive.files if suffix_of(path) in SUFFIXES)
    for path in inside:
        if f"{below}/".startswith(f"{path}/"):
            return path, below[len(path) + 1 :]
    if not inside or archive.contents().images:
        return "", below
    if len(inside) > 1:
        raise DataError(
            f"{archive.location}: holds no images but {len(inside):,} archives: {', '.join(inside[:_SHOWN])}"
            f"{', ...' * (len(inside) > _SHOWN)}. Allowed is one. "
            f"Unpack it, or give one: '{archive.location}/{inside[0]}'."
        )
    return inside[0], below


def _unpacked_inside(archive: Archive, path: str, key: str) -> Archive:
    """Return an archive in a zip archive."""
    entry = archive.files[path].handle
    if not isinstance(entry, zipfile.ZipInfo):
        raise _too_deep(archive.location, path)
    inner = blake2b(f"{key} {path}".encode(), digest_size=16).hexdigest()
    location = f"{archive.location}/{path}"
    return _kept(inner, location, partial(open_entry, archive, entry), entry.compress_size)


class _OfOuter(NamedTuple):
    """A handle of the outer of two archives."""

    handle: Any


def _with_tables_of(outer: Archive, found: Contents) -> Contents:
    """Return the contents of an archive inside another, with the tables that lie beside it."""

    @contextmanager
    def open_both() -> Iterator[Reader]:
        with outer.open_reader() as read_outer, found.open_reader() as read:
            yield lambda handle: read_outer(handle[0]) if isinstance(handle, _OfOuter) else read(handle)

    beside = [file._replace(handle=_OfOuter(file.handle)) for file in outer.contents().tables]
    return replace(found, tables=[*found.tables, *beside], open_reader=open_both) if beside else found


def _too_deep(location: str, path: str) -> DataError:
    return DataError(
        f"{location}: the archive '{path}' in it is not opened. Allowed is one zip or tar archive in a zip "
        f"archive. Unpack it and give the folder."
    )
