"""Decoded data sets on disk, a folder each, whole or absent. tuner/data/preparation.py names the folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter
from xxhash import xxh3_128, xxh3_128_hexdigest

from tuner import cache_folder
from tuner.errors import DataError
from tuner.sources.listing import SkippedImage
from tuner.sources.pixel_range import PixelRange

CACHE_VERSION = 5
"""Raise it when the files of the folder change, or the splits, classes or pixels that a source gives."""

IMAGES, RECORDS, PATHS, META = "images.npy", "records.npy", "paths.txt", "meta.json"

RECORD = np.dtype(
    [
        ("label", "<i4"),
        ("split", "<i4"),  # index into SPLITS, or NO_SPLIT
        ("group", "<i4"),  # index into Meta.group_names, or NO_GROUP
        ("width", "<u4"),
        ("height", "<u4"),
        ("mode", "<u4"),  # index into Meta.modes
        ("jpeg_tables", "<u4"),
        ("file_size", "<i8"),
        ("pixel_hash", "<u8"),
    ]
)
"""One image: its class and split, and the properties of its file."""

Progress = Callable[[int, int], None]
"""Called with (done, total), numbers of images."""

# What the file system, pydantic and NumPy raise where a file is absent, damaged or made to do harm.
_UNREADABLE = (OSError, ValueError, EOFError, OverflowError, MemoryError, TokenError)


@dataclass(frozen=True)
class PixelStats:
    """Pixels of all images as models see them, 0..255."""

    minimum: int
    maximum: int
    mean: float


@dataclass(frozen=True)
class Meta:
    """A decoded data set as a whole."""

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    fingerprint: str
    modes: tuple[str, ...]
    """Pillow modes of the image files; `mode` of a record is an index into them."""
    skipped: tuple[SkippedImage, ...]
    pixel_stats: PixelStats
    pixel_range: PixelRange
    group_names: tuple[str, ...] = ()
    groups_stay_together: bool = False
    notes: tuple[str, ...] = ()
    """Sentences for the user: what was left out, assumed or changed."""


@dataclass(frozen=True)
class _Document:
    """The content of META, which carries its own checksum, with those of the other files."""

    meta: Meta
    checksums: dict[str, str]


_DOCUMENT = TypeAdapter(_Document)


def pixel_hash(pixels: npt.NDArray[np.uint8]) -> int:
    """Return a hash of 64 bits that is the same for the same pixels."""
    return int.from_bytes(blake2b(pixels.tobytes(), digest_size=8).digest(), "little")


def load_images(folder: Path) -> npt.NDArray[np.uint8]:
    """Map the pixels, read-only, shape (n, height, width, channels)."""
    with _reading(folder):
        return np.lib.format.open_memmap(folder / IMAGES, mode="r")


def load_records(folder: Path) -> npt.NDArray[Any]:
    """Return the records of all images, dtype RECORD, shape (n,), read-only."""
    with _reading(folder), (folder / RECORDS).open("rb") as file:
        records: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    records.flags.writeable = False
    return records


def load_paths(folder: Path) -> list[str]:
    """Return the path of each image within its source."""
    with _reading(folder):
        return (folder / PATHS).read_text("utf-8").split("\0")


def load_meta(folder: Path) -> Meta:
    """Return the description of the data set as a whole."""
    return _document(folder).meta


def open_checked(folder: Path, progress: Progress | None = None) -> Meta | None:
    """Return the description of a cached data set, None where it is absent or damaged.

    Every byte is checked, as fast as memory or the disk delivers it, once, by the process that begins. Those
    that it hands the data set only map the files.

    Args:
        progress: called while the pixels are checked, if they are many.

    Raises:
        DataError: the folder is that of another user who does not share it.
    """
    try:
        document = _document(folder)
        for name in (PATHS, RECORDS):
            _require_whole(folder, document, name)
        records = load_records(folder)
        _require_whole(folder, document, IMAGES, progress, records.size)
        images = load_images(folder)
    except _DamagedError:
        return None
    meta, types = document.meta, (records.dtype, images.dtype)
    fits = types == (RECORD, np.dtype(np.uint8)) and images.shape == (*records.shape, *meta.image_shape)
    return meta if fits else None


def save_description(folder: Path, meta: Meta, records: npt.NDArray[Any], paths: Sequence[str]) -> None:
    """Write all but the pixels, which must be there already."""
    np.save(folder / RECORDS, records)
    (folder / PATHS).write_text("\0".join(paths), "utf-8", newline="")
    checksums = {name: cache_folder.checksum(folder / name) for name in (IMAGES, RECORDS, PATHS)}
    (folder / META).write_bytes(_sealed(json.dumps(asdict(_Document(meta, checksums))).encode()))


def kept_array(folder: Path, name: str, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return an array kept beside the decoded images; make and keep it where it is absent or damaged.

    It is made each time where the folder cannot be written to. The name covers all that the array depends on.
    """
    try:
        kept = BytesIO(_unsealed((folder / name).read_bytes()))
        found: npt.NDArray[Any] = np.lib.format.read_array(kept, allow_pickle=False)
        return found
    except _UNREADABLE:
        made, contents = make(), BytesIO()
    np.save(contents, made)
    with suppress(DataError):
        cache_folder.keep_file(folder / name, _sealed(contents.getvalue()))
    return made


class _DamagedError(DataError):
    """Files of a decoded data set are gone, or not as they were written."""


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        with cache_folder.readable(folder):
            yield
    except _UNREADABLE as error:
        raise _DamagedError(
            f"the decoded images in {folder} are gone or damaged. They must stay while they are in use. "
            f"Run the command again: it decodes them anew."
        ) from error


def _document(folder: Path) -> _Document:
    with _reading(folder):
        return _DOCUMENT.validate_json(_unsealed((folder / META).read_bytes()))


def _sealed(contents: bytes) -> bytes:
    """Return the content of a file with its checksum at the end."""
    return contents + xxh3_128_hexdigest(contents).encode()


def _unsealed(sealed: bytes) -> bytes:
    """Return the content of a file without its checksum.

    Raises:
        ValueError: it is not as it was written.
    """
    contents = sealed[: -2 * xxh3_128().digest_size]
    if _sealed(contents) != sealed:
        raise ValueError("other bytes than were written")
    return contents


def _require_whole(
    folder: Path, document: _Document, name: str, progress: Progress | None = None, images: int = 0
) -> None:
    told = (lambda done, size: progress(images * done // size, images)) if progress else None
    with _reading(folder):
        if cache_folder.checksum(folder / name, told) != document.checksums.get(name):
            raise ValueError(f"{name} holds other bytes than were written")
