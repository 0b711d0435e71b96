"""The images of a source, each with its class and split, before any of them is decoded."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tuner.data_options import NO_WISHES, DataOptions
from tuner.errors import DataError
from tuner.path_names import printable
from tuner.sources.pixel_range import PixelRange
from tuner.units import listed

MAX_IMAGE_BYTES = 128 * 2**20
"""Size of the largest image file that is read, in bytes: a bound on memory, far above any photograph."""

NO_SPLIT = -1
"""In `Listing.splits`: the source says nothing about this image's split."""
NO_GROUP = -1
"""In `Listing.groups`: the image belongs to no group."""

_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)

Encoded = bytes | Image.Image
Reader = Callable[[Any], Encoded]


class UnreadableError(Exception):
    """An image that is left out. The message is the reason, short and without the path."""


@dataclass(frozen=True)
class SkippedImage:
    """An image file that was left out."""

    path: str
    reason: str


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
    """Images without a label."""
    group_names: tuple[str, ...] = ()
    """Names of groups within the classes, such as the generators of images, in alphabetical order."""
    groups: npt.NDArray[np.int32] | None = None
    """Index into `group_names`, or NO_GROUP; None stands for NO_GROUP throughout."""
    groups_stay_together: bool = False
    """Whether all images of a group belong on one side of a split."""
    notes: tuple[str, ...] = ()
    """Sentences for the user: what was left out, assumed or changed."""
    pixel_range: PixelRange | None = None
    """Range that the source itself has made 0..255; None where decoding does."""

    def without_small_classes(self, least: int) -> Listing:
        """Leave out the classes with fewer images than `least`, with a note.

        Raises:
            DataError: that leaves none.
        """
        names = self.class_names
        counts = np.bincount(self.labels, minlength=len(names))
        large = counts >= least
        if large.all():
            return self
        if not large.any():
            raise DataError(
                f"every class has fewer than {least:,} images (--min-class-images), the largest "
                f"{counts.max():,}. Give a lower number."
            )
        small = listed([f"{names[label]} ({counts[label]:,})" for label in np.flatnonzero(~large)])
        kept = np.flatnonzero(large[self.labels]).tolist()
        groups = np.full(len(kept), NO_GROUP) if self.groups is None else self.groups[kept]
        used = np.setdiff1d(groups, [NO_GROUP])
        return replace(
            self,
            class_names=tuple(names[label] for label in np.flatnonzero(large)),
            paths=[self.paths[index] for index in kept],
            labels=(np.cumsum(large) - 1)[self.labels[kept]].astype(np.int32),
            splits=self.splits[kept],
            file_sizes=self.file_sizes[kept],
            handles=[self.handles[index] for index in kept],
            group_names=tuple(self.group_names[group] for group in used),
            groups=np.where(groups == NO_GROUP, NO_GROUP, np.searchsorted(used, groups)).astype(np.int32),
            notes=(*self.notes, f"classes with fewer than {least:,} images left out: {small}"),
        )


def _ignore(_: int) -> None:
    """Take no notice of the number of files."""


@dataclass(frozen=True)
class Source(ABC):
    """A folder or file of images."""

    path: Path
    listed: Callable[[int], None] = field(default=_ignore, compare=False, repr=False, kw_only=True)
    """Told the number of files so far while the source is listed, now and then."""

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
    def listing(self, options: DataOptions = NO_WISHES) -> Listing:
        """Return all images.

        Raises:
            DataError: the source cannot be read, is unsafe, or holds no images in classes.
        """


def require_image_size(size: int) -> None:
    """Refuse an image file of too many bytes.

    Raises:
        UnreadableError: it has more than MAX_IMAGE_BYTES.
    """
    if size > MAX_IMAGE_BYTES:
        raise UnreadableError(f"{size:,} bytes, more than {MAX_IMAGE_BYTES:,}")


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
