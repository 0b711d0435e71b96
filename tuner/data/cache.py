"""Decoded data sets on disk, a folder each, whole or absent. tuner/data/preparation.py names the folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from tuner import cache_folder
from tuner.errors import DataError
from tuner.sources.listing import SkippedImage
from tuner.sources.pixel_range import PixelRange

CACHE_VERSION = 4
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

_SAMPLED_IMAGES = 16


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
    """The content of META: the size of each other file, and the checksum of each but the pixels."""

    meta: Meta
    sizes: dict[str, int]
    checksums: dict[str, str]


_DOCUMENT = TypeAdapter(_Document)


def pixel_hash(pixels: npt.NDArray[np.uint8]) -> int:
    """Return a hash of 64 bits that is the same for the same pixels."""
    return int.from_bytes(blake2b(pixels.tobytes(), digest_size=8).digest(), "little")


def load_images(folder: Path) -> npt.NDArray[np.uint8]:
    """Map the pixels, read-only, shape (n, height, width, channels)."""
    return _load(folder, IMAGES, mmap_mode="r")


def load_records(folder: Path) -> npt.NDArray[Any]:
    """Return the records of all images, dtype RECORD, shape (n,), read-only."""
    records = _load(folder, RECORDS)
    records.flags.writeable = False
    return records


def load_paths(folder: Path) -> list[str]:
    """Return the path of each image within its source."""
    try:
        return (folder / PATHS).read_text("utf-8").split("\0")
    except OSError as error:
        raise _gone(folder) from error


def load_meta(folder: Path) -> Meta:
    """Return the description of the data set as a whole."""
    try:
        return _DOCUMENT.validate_json((folder / META).read_bytes()).meta
    except OSError as error:
        raise _gone(folder) from error


def open_checked(folder: Path) -> Meta | None:
    """Return the description of a cached data set, None where it is absent or damaged.

    The files other than the pixels are checked in full. Of the pixels the size is checked and a few images,
    the first and the last among them, so that opening takes milliseconds.
    """
    try:
        document = _DOCUMENT.validate_json((folder / META).read_bytes())
        meta, records, images = document.meta, load_records(folder), load_images(folder)
        sample = np.linspace(0, len(records) - 1, _SAMPLED_IMAGES).astype(int)
        is_whole = (
            all((folder / name).stat().st_size == size for name, size in document.sizes.items())
            and all(_checksum(folder / name) == checksum for name, checksum in document.checksums.items())
            and images.shape == (len(records), *meta.image_shape)
            and images.dtype == np.uint8
            and all(pixel_hash(images[index]) == records["pixel_hash"][index] for index in sample)
        )
    except (OSError, DataError, ValueError):
        return None
    return meta if is_whole else None


def save_description(folder: Path, meta: Meta, records: npt.NDArray[Any], paths: Sequence[str]) -> None:
    """Write all but the pixels, which must be there already."""
    np.save(folder / RECORDS, records)
    (folder / PATHS).write_text("\0".join(paths), "utf-8", newline="")
    sizes = {name: (folder / name).stat().st_size for name in (IMAGES, RECORDS, PATHS)}
    checksums = {name: _checksum(folder / name) for name in (RECORDS, PATHS)}
    (folder / META).write_text(json.dumps(asdict(_Document(meta, sizes, checksums))), "utf-8")


def kept_array(folder: Path, name: str, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return an array kept beside the decoded images; make and keep it where it is absent.

    It is made each time where the folder cannot be written to. The name covers all that the array depends on.
    """
    try:
        found: npt.NDArray[Any] = np.load(folder / name, allow_pickle=False)
        return found
    except (OSError, ValueError, EOFError):
        made, contents = make(), BytesIO()
    np.save(contents, made)
    with suppress(DataError):
        cache_folder.keep_file(folder / name, contents.getvalue())
    return made


def _checksum(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=16).hexdigest()


def _load(folder: Path, name: str, mmap_mode: Literal["r"] | None = None) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(folder / name, mmap_mode=mmap_mode, allow_pickle=False)
        return array
    except (OSError, ValueError, EOFError) as error:
        raise _gone(folder) from error


def _gone(folder: Path) -> DataError:
    return DataError(
        f"the decoded images in {folder} are gone or damaged. They must stay while they are in use. "
        f"Run the command again: it decodes them anew."
    )
