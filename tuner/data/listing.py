"""The images of a source, each with its class and split, before any of them is decoded."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from tuner.data.layout import SPLITS, place_folders
from tuner.errors import DataError

IMAGE_SUFFIXES = frozenset(
    ("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "webp", "tif", "tiff", "ppm", "pgm", "avif")
)
MAX_IMAGE_BYTES = 128 * 2**20
"""Size of the largest image file that is read, in bytes: a bound on memory, far above any photograph."""

NO_SPLIT = -1
"""In `Listing.splits`: the source says nothing about this image's split."""

_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)

# Control characters, line separators and the surrogates that stand for bytes that are not UTF-8: none of them
# can be printed on one line or written to a UTF-8 file.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Encoded = bytes | Image.Image
Reader = Callable[[Any], Encoded]


class UnreadableError(Exception):
    """An image that is left out. The message is the reason, short and without the path."""


@dataclass(frozen=True)
class SkippedImage:
    """An image file that was left out."""

    path: str
    reason: str


class File(NamedTuple):
    """An image file of a source."""

    path: str
    """In printable form."""
    size: int
    """In bytes."""
    handle: Any
    """Argument of the source's reader."""


@dataclass(frozen=True)
class Listing:
    """Images in a fixed order. All sequences have the same length n; arrays have shape (n,)."""

    class_names: tuple[str, ...]
    paths: Sequence[str]
    labels: npt.NDArray[np.int32]
    splits: npt.NDArray[np.int8]
    """Index into SPLITS, or NO_SPLIT."""
    file_sizes: npt.NDArray[np.int64]
    handles: Sequence[Any]
    open_reader: Callable[[], AbstractContextManager[Reader]]
    """Opens the source for one thread and yields its reader, which may raise UnreadableError."""
    unplaced: tuple[SkippedImage, ...] = ()
    """Images above the class folders."""


@dataclass(frozen=True)
class Source(ABC):
    """A folder or file of images."""

    path: Path

    @property
    def location(self) -> str:
        """Printable path, or "demo"."""
        return printable(str(self.path))

    @property
    def name(self) -> str:
        """Short name of the data set, not yet a slug."""
        return self.path.stem

    @abstractmethod
    def digest(self) -> str:
        """Return a hash that changes when the images change; fast, reading few of them at most."""

    @abstractmethod
    def listing(self) -> Listing:
        """Return all images.

        Raises:
            DataError: the source cannot be read, is unsafe, or holds no images in classes.
        """


def read_file(path: str, size: int, start: int = 0) -> bytes:
    """Return `size` bytes of a file from `start` on; fewer where the file ends before.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, _READ_FLAGS)  # a file object costs twice as much, once an image
    try:
        os.lseek(descriptor, start, os.SEEK_SET)
        data = b""
        # One read may bring fewer bytes, as from a network drive.
        while piece := os.read(descriptor, size - len(data)):
            data += piece
        return data
    finally:
        os.close(descriptor)


def is_image_path(path: str) -> bool:
    """Tell an image from other files by its suffix; hidden files and macOS resource forks are no images."""
    return (
        path.rpartition(".")[2].lower() in IMAGE_SUFFIXES
        and not path.startswith((".", "__MACOSX/"))
        and "/." not in path
        and "/__MACOSX/" not in path
    )


def printable(path: str) -> str:
    r"""Return the path with escapes such as \x0a or \udc80 for characters that do not fit on one line."""
    if path.isprintable():
        return path
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), path)


def arrange(
    files: list[File], location: str, open_reader: Callable[[], AbstractContextManager[Reader]]
) -> Listing:
    """Sort image files by path and find the class and split of each from its folders.

    Images above the class folders are skipped.

    Raises:
        DataError: no images at all, or a layout that `place_folders` refuses.
    """
    if not files:
        raise DataError(
            f"{location}: no images in it. Image files end in {', '.join(sorted(IMAGE_SUFFIXES))}. "
            f"Give a folder, .zip or .npz with images in class folders."
        )
    places = place_folders({_folder(file) for file in files}, location)
    files = sorted(files, key=lambda file: file.path)
    kept = [(file, places[_folder(file)]) for file in files if _folder(file) in places]
    class_names = sorted({place.class_name for _, place in kept})
    label_of = {name: label for label, name in enumerate(class_names)}
    return Listing(
        class_names=tuple(class_names),
        paths=[file.path for file, _ in kept],
        labels=np.array([label_of[place.class_name] for _, place in kept], np.int32),
        splits=np.array(
            [SPLITS.index(place.split) if place.split else NO_SPLIT for _, place in kept], np.int8
        ),
        file_sizes=np.array([file.size for file, _ in kept], np.int64),
        handles=[file.handle for file, _ in kept],
        open_reader=open_reader,
        unplaced=tuple(
            SkippedImage(file.path, "not in a class folder") for file in files if _folder(file) not in places
        ),
    )


def _folder(file: File) -> str:
    return file.path.rpartition("/")[0]
