"""The images of a benchmark, in the forms that peers read: a folder of JPEGs and an .npz of their pixels."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tuner.data.dataset import Dataset, load_dataset
from tuner.data.splits import VALIDATION_FRACTION
from tuner.errors import DataError

CLASS_NAMES = ("FAKE", "REAL")
SIDE = 32
STAND_IN_SHARES = {"train": 1.0, "test": 0.2}
STAND_IN_TRAIN = 2000

Splits = Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Sample:
    """Images of a benchmark: `folder` holds train, validation and test, `arrays` the first two as pixels."""

    folder: Path
    arrays: Path
    image_shape: tuple[int, int, int]
    num_classes: int
    counts: dict[str, int]


def write_stand_in(folder: Path, num_images: int, seed: int) -> Path:
    """Write JPEGs in CIFAKE's layout: coarse noise, its brightness mostly tells the classes apart."""
    rng = np.random.default_rng(seed)
    for split, share in STAND_IN_SHARES.items():
        for label, name in enumerate(CLASS_NAMES):
            target = folder / split / name
            target.mkdir(parents=True)
            for index in range(max(1, int(num_images * share) // len(CLASS_NAMES))):
                coarse = rng.normal(rng.normal(100 + 40 * label, 25), 40, (SIDE // 4, SIDE // 4, 3))
                pixels = np.clip(coarse, 0, 255).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
                Image.fromarray(pixels).save(target / f"{index:05d}.jpg")
    return folder


def load_images(data: str | None, num_train: int | None, folder: Path, seed: int) -> Dataset:
    """Return the images at `data`, or stand-ins made in `folder` where it is None.

    Raises:
        DataError: `data` cannot be used.
    """
    if data is None:
        num_images = math.ceil((num_train or STAND_IN_TRAIN) / (1 - VALIDATION_FRACTION))
        return load_dataset(str(write_stand_in(folder, num_images, seed)), seed=seed)
    dataset = load_dataset(data, seed=seed)
    if not Path(dataset.source).is_dir() and Path(dataset.source).suffix.lower() != ".zip":
        raise DataError(
            f"--data '{data}' holds no image files. Allowed: a folder or a .zip. Give one of them."
        )
    return dataset


def stratified(dataset: Dataset, num_train: int | None, seed: int) -> Splits:
    """Return the splits, or of each the same part of every class: about `num_train` remain to train on.

    Each class keeps at least one image in each split.
    """
    splits = dataset.splits
    share = 1.0 if num_train is None else num_train / len(splits["train"])
    if share >= 1:
        return splits
    rng = np.random.default_rng(seed)
    chosen = {}
    for split, indices in splits.items():
        by_class = [indices[dataset.labels[indices] == label] for label in range(len(dataset.class_names))]
        kept = [rng.choice(part, max(1, round(share * len(part))), replace=False) for part in by_class]
        chosen[split] = np.sort(np.concatenate(kept))
    return chosen


def write_sample(dataset: Dataset, splits: Splits, target: Path, with_folder: bool = True) -> Sample:
    """Write the images of the splits below `target`; the files are those of the source, byte by byte."""
    folder, arrays = target / "images", target / "images.npz"
    if with_folder:
        with _reader(dataset) as read:
            for split, indices in splits.items():
                for index in indices.tolist():
                    place = folder / split / dataset.class_names[int(dataset.labels[index])]
                    place.mkdir(parents=True, exist_ok=True)
                    path = dataset.paths[index]
                    (place / f"{index:06d}{Path(path).suffix}").write_bytes(read(path))
    pixels: dict[str, Any] = {
        f"{letter}_{split}": source[splits[split]]
        for split in ("train", "validation")
        for letter, source in (("x", dataset.images), ("y", dataset.labels))
    }
    target.mkdir(parents=True, exist_ok=True)
    np.savez(arrays, **pixels)
    counts = {split: len(indices) for split, indices in splits.items()}
    return Sample(folder, arrays, dataset.image_shape, len(dataset.class_names), counts)


class _Reader:
    """Gives the bytes of a file of a data set's source."""

    def __init__(self, root: Path, archive: zipfile.ZipFile | None) -> None:
        self._root, self._archive = root, archive

    def __call__(self, path: str) -> bytes:
        return self._archive.read(path) if self._archive else (self._root / path).read_bytes()


@contextmanager
def _reader(dataset: Dataset) -> Iterator[_Reader]:
    source = Path(dataset.source)
    if source.is_dir():
        yield _Reader(source, None)
    else:
        with zipfile.ZipFile(source) as archive:
            yield _Reader(source, archive)
