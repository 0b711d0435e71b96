"""Flaws of a data set that a score does not show: duplicates, near copies, label conflicts, shortcuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.data import cache
from tuner.data.dataset import Dataset
from tuner.data.near_copies import near_copies
from tuner.data.shortcuts import Shortcut, shortcuts
from tuner.data.splits import in_conflict
from tuner.data_options import SPLITS
from tuner.sources.listing import SkippedImage

MAX_EXAMPLES = 3
MAX_SIZES = 10

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Duplicates:
    """Images with the same pixels, as decoded, within a split (first equals second) or across two."""

    first_split: str
    second_split: str
    num_images: int
    """Within: copies beyond the first of each. Across: images of the second split that the first has too."""
    examples: Pairs
    """A few pairs of paths."""


@dataclass(frozen=True)
class NearCopies:
    """Images of a split that nearly copy a training image; exact copies do not count."""

    split: str
    """"validation", with originals in train, or "test", with originals in train and validation."""
    num_images: int
    num_other_class: int
    """Those of another class than their original."""
    examples: Pairs
    """A few pairs of paths, the original first."""


@dataclass(frozen=True)
class OriginalSize:
    """A size of the image files before decoding, in pixels."""

    width: int
    height: int
    num_images: int


@dataclass(frozen=True)
class Audit:
    """Findings about a data set, which stays as it is."""

    counts: dict[str, dict[str, int]]
    """split -> class -> number of images"""
    balance: float
    """Images of the smallest class for each image of the largest, 0..1."""
    num_sizes: int
    sizes: tuple[OriginalSize, ...]
    """The most frequent original sizes, at most MAX_SIZES."""
    modes: dict[str, int]
    """Pillow mode -> number of images, the most frequent first."""
    duplicates: tuple[Duplicates, ...]
    """Only those that exist."""
    near_copies: tuple[NearCopies, ...]
    """Only those that exist."""
    num_conflicts: int
    """Images with the same pixels as an image of another class."""
    conflict_examples: Pairs
    skipped: tuple[SkippedImage, ...]
    shortcuts: tuple[Shortcut, ...]
    """Of `tuner.data.shortcuts`, including those too weak for a warning."""


def audit(dataset: Dataset) -> Audit:
    """Return the findings about a data set.

    For near copies it reads all pixels, 9 s for 90,000 images of 32 x 32, and keeps the result beside them.
    """
    records = dataset.records
    totals = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    sides = np.stack([records["width"], records["height"]], axis=1)
    sizes, size_counts = np.unique(sides, axis=0, return_counts=True)
    frequent = np.argsort(-size_counts, kind="stable")[:MAX_SIZES]
    modes = cache.load_meta(dataset.cache_dir).modes
    mode_counts = np.bincount(records["mode"], minlength=len(modes))
    conflicts = np.flatnonzero(in_conflict(records))
    return Audit(
        counts=dataset.counts(),
        balance=float(totals.min() / totals.max()),
        num_sizes=len(sizes),
        sizes=tuple(OriginalSize(int(sizes[i, 0]), int(sizes[i, 1]), int(size_counts[i])) for i in frequent),
        modes={modes[i]: int(mode_counts[i]) for i in np.argsort(-mode_counts, kind="stable")},
        duplicates=tuple(_duplicates(dataset)),
        near_copies=tuple(_near_copies(dataset)),
        num_conflicts=len(conflicts),
        conflict_examples=_conflict_pairs(dataset, conflicts),
        skipped=dataset.skipped,
        shortcuts=shortcuts(dataset),
    )


def _duplicates(dataset: Dataset) -> Iterator[Duplicates]:
    hashes = dataset.records["pixel_hash"]
    for first, second in combinations_with_replacement(SPLITS, 2):
        in_first, in_second = dataset.splits[first], dataset.splits[second]
        found, original = np.unique(hashes[in_first], return_index=True)
        place = np.minimum(np.searchsorted(found, hashes[in_second]), len(found) - 1)
        same = found[place] == hashes[in_second]
        copies, originals = in_second[same], in_first[original[place[same]]]
        if first == second:  # each first copy also finds itself
            copies, originals = copies[copies != originals], originals[copies != originals]
        if len(copies):
            yield Duplicates(first, second, len(copies), _pairs(dataset, originals, copies))


def _near_copies(dataset: Dataset) -> Iterator[NearCopies]:
    for split in ("validation", "test"):
        copies, originals = near_copies(dataset, split).T
        if len(copies):
            other_class = dataset.labels[copies] != dataset.labels[originals]
            num_other_class = int(np.count_nonzero(other_class))
            yield NearCopies(split, len(copies), num_other_class, _pairs(dataset, originals, copies))


def _conflict_pairs(dataset: Dataset, conflicts: npt.NDArray[Any]) -> Pairs:
    """Return a few pairs of images with the same pixels and different classes."""
    hashes = dataset.records["pixel_hash"][conflicts]
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    originals = conflicts[first[group]]
    differ = dataset.labels[originals] != dataset.labels[conflicts]
    return _pairs(dataset, originals[differ], conflicts[differ])


def _pairs(dataset: Dataset, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Pairs:
    """Return the paths of the first MAX_EXAMPLES pairs."""
    examples = zip(first[:MAX_EXAMPLES].tolist(), second[:MAX_EXAMPLES].tolist(), strict=True)
    return tuple((dataset.paths[one], dataset.paths[other]) for one, other in examples)
