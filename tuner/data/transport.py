"""Decoded images on their way to another machine: in pieces, checked by their fingerprint on arrival."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuner import cache_folder
from tuner.data import cache
from tuner.data.dataset import Dataset
from tuner.errors import DataError

PIECE_MIB = 64

Bytes = npt.NDArray[np.uint8]


def pieces(dataset: Dataset) -> Iterator[tuple[str, Bytes]]:
    """Yield name and bytes of the files of a decoded data set, PIECE_MIB at most at a time, in order."""
    for name in (cache.IMAGES, cache.RECORDS, cache.PATHS, cache.META):
        contents = np.memmap(dataset.cache_dir / name, np.uint8, "r")
        for start in range(0, len(contents), PIECE_MIB * 2**20):
            yield name, contents[start : start + PIECE_MIB * 2**20]


def content(dataset: Dataset) -> str:
    """Return the fingerprint of all images, also for a sample, which has a fingerprint of its own."""
    return cache.load_meta(dataset.cache_dir).fingerprint


def found_here(dataset: Dataset, expected: str) -> Dataset | None:
    """Return the data set on this machine, None where it is absent.

    It lies where it was decoded, on this machine or on a shared disk, or where it was received. It is checked
    in full: the process that decoded it may have seen another disk.

    Args:
        expected: Result of `content` on the sending machine.
    """
    for folder in (dataset.cache_dir, _received(expected)):
        if _content(folder) == expected:
            return replace(dataset, cache_dir=folder)
    return None


def receive(dataset: Dataset, expected: str, arriving: Mapping[str, list[Callable[[], Bytes]]]) -> Dataset:
    """Keep a data set that was sent, unless another process of this machine has done so meanwhile.

    Args:
        expected: Result of `content` on the sending machine.
        arriving: Functions that get the pieces of each file, in order, by the name of the file.

    Raises:
        DataError: it cannot be written, or another data set arrived.
    """
    folder = _received(expected)
    with cache_folder.exclusive(folder):
        found = found_here(dataset, expected)
        if found is not None:
            return found
        with cache_folder.replacing(folder) as draft:
            for name, parts in arriving.items():
                with (draft / name).open("wb") as file:
                    for part in parts:
                        file.write(part().data)
            if (arrived := _content(draft)) != expected:
                raise DataError(
                    f"the images that arrived have the fingerprint {arrived}, not {expected}. "
                    "Start the search again."
                )
    return replace(dataset, cache_dir=folder)


def _content(folder: Path) -> str | None:
    """Return the fingerprint of the images in a folder, None where it is absent, damaged or not shared."""
    with suppress(DataError):
        if meta := cache.open_checked(folder):
            return meta.fingerprint
    return None


def _received(fingerprint: str) -> Path:
    return cache_folder.cache_root() / f"received-{fingerprint}"
