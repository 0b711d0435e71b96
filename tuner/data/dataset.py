"""A data set as the rest of the program sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.data import cache
from tuner.data.preparation import MAX_DEFAULT_SIZE, WantedFormat, prepare
from tuner.data.splits import sample_splits, split_indices
from tuner.data_options import NO_WISHES, DataOptions, Resize
from tuner.errors import DataError, did_you_mean
from tuner.sources.class_names import positive_class
from tuner.sources.listing import SkippedImage
from tuner.sources.opening import open_source
from tuner.sources.pixel_range import PixelRange

_SHOWN_SKIPPED = 3


@dataclass(frozen=True)
class Resized:
    """Images of the splits that were made smaller, or larger, to the size of the data set."""

    num_images: int
    width: int
    """Of the most frequent original size among them, in pixels."""
    height: int


@dataclass(frozen=True)
class Dataset:
    """Images in classes, decoded once, with their splits.

    A pickle of it is small: each process maps the arrays from `cache_dir` at their first use.
    """

    name: str
    """Slug for run ids, of the characters a-z, 0-9 and -."""
    source: str
    """Absolute path of the folder or file, or "demo"."""
    cache_dir: Path
    seed: int
    """Seed of the splits."""
    fingerprint: str
    """Hash of class names, labels, official splits and pixels; for a sample also of its limits and seed."""
    class_names: tuple[str, ...]
    """In alphabetical order; a label is an index into it."""
    image_shape: tuple[int, int, int]
    """(height, width, channels)"""
    positive_class: str | None
    """Class of precision, recall and AUROC; None with more than two classes, unless the user names one."""
    skipped: tuple[SkippedImage, ...]
    pixel_stats: cache.PixelStats
    """Minimum, maximum and mean of the pixels of all images."""
    pixel_range: PixelRange
    """Pixels of more than 8 bits that became 0 and 255."""
    resize: Resize = "squeeze"
    """How images that are no squares became squares."""
    limit: int | None = None
    """Number of images in "train" and "validation" together where they are a sample, else None."""
    limit_test: int | None = None
    """Number of images in "test" where it is a sample, else None."""
    group_names: tuple[str, ...] = ()
    """Kinds of images within the classes, such as generators; `group` of a record is an index into it."""
    groups_stay_together: bool = False
    """Whether the images of a group are in one split where the source has none."""
    notes: tuple[str, ...] = ()
    """Sentences for the user: what was left out, assumed or changed while the source was read."""
    validation_in_training: bool = False
    """Whether "train" also holds the validation images, and there is no "validation"."""

    @cached_property
    def images(self) -> npt.NDArray[np.uint8]:
        """Pixels as a read-only memory map, shape (n, height, width, channels)."""
        return cache.load_images(self.cache_dir)

    @cached_property
    def records(self) -> npt.NDArray[Any]:
        """Class, split and file properties of each image, dtype `cache.RECORD`, shape (n,)."""
        return cache.load_records(self.cache_dir)

    @cached_property
    def labels(self) -> npt.NDArray[np.int32]:
        """Index of each image's class in `class_names`, shape (n,)."""
        return _read_only(self.records["label"].astype(np.int32))

    def groups(self, indices: npt.NDArray[Any]) -> tuple[str, ...] | None:
        """Return the name of each of these images' group, "" for none; None where there are no groups."""
        if not self.group_names:
            return None
        names = (*self.group_names, "")  # NO_GROUP is the last
        return tuple(names[group] for group in self.records["group"][indices])

    @cached_property
    def paths(self) -> list[str]:
        """Path of each image within the source, in printable form."""
        return cache.load_paths(self.cache_dir)

    @cached_property
    def splits(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """Sorted indices into `images` of "train", "validation" and "test", or of samples of them.

        With the validation images in training there are only "train" and "test".

        Raises:
            DataError: there are too few images; only for a data set loaded with `labelled_only`.
        """
        records = self.records
        try:
            together = self.group_names if self.groups_stay_together else ()
            indices = split_indices(records, self.class_names, self.seed, together)
            for sampled, limit in ((("train", "validation"), self.limit), (("test",), self.limit_test)):
                if limit is not None:
                    whole = {split: indices[split] for split in sampled}
                    indices |= sample_splits(whole, records["label"], limit, self.seed)
        except DataError as error:
            raise DataError(f"{self.source}: {error}") from error
        if self.validation_in_training:
            indices = {"train": np.union1d(indices["train"], indices["validation"]), "test": indices["test"]}
        return MappingProxyType({split: _read_only(found) for split, found in indices.items()})

    @property
    def is_whole(self) -> bool:
        """Whether the splits together hold all images."""
        return self.limit is None and self.limit_test is None

    def with_validation_in_training(self) -> Dataset:
        """Return the same images with those of the validation split in "train"."""
        return replace(self, validation_in_training=True)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of images of each class in each split: split -> class -> count."""
        return {
            split: {
                name: int(np.count_nonzero(self.labels[indices] == label))
                for label, name in enumerate(self.class_names)
            }
            for split, indices in self.splits.items()
        }

    def seen_in_training(self, indices: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Tell for each of these images whether it is in "train" or "validation". Shapes (m,).

        An image of any split counts if its decoded pixels are those of one of them.
        """
        hashes = self.records["pixel_hash"]
        used = np.concatenate([found for split, found in self.splits.items() if split != "test"])
        return np.isin(hashes[indices], hashes[used])

    @cached_property
    def seen_test_images(self) -> int:
        """Number of images of "test" for which `seen_in_training` is true."""
        return int(self.seen_in_training(self.splits["test"]).sum())

    @cached_property
    def resized(self) -> dict[str, Resized]:
        """Images made "smaller" or "larger" in width or height; without a key where there are none."""
        records = self._split_records
        sides, side = np.stack([records["width"], records["height"]], axis=1), self.image_shape[0]
        scaled = sides
        if self.resize != "squeeze":  # both sides are scaled alike
            scaled = (np.min if self.resize == "crop" else np.max)(sides, axis=1, keepdims=True)
        found = {}
        for change, changed in (("smaller", scaled > side), ("larger", scaled < side)):
            if changed.any():
                sizes, counts = np.unique(sides[changed.any(axis=1)], axis=0, return_counts=True)
                width, height = map(int, sizes[counts.argmax()])
                found[change] = Resized(int(counts.sum()), width, height)
        return found

    @cached_property
    def num_oblong(self) -> int:
        """Number of images of the splits whose files are no squares."""
        records = self._split_records
        return int(np.count_nonzero(records["width"] != records["height"]))

    @property
    def _split_records(self) -> npt.NDArray[Any]:
        """The records of the images of all splits."""
        records: npt.NDArray[Any] = self.records[np.concatenate(list(self.splits.values()))]
        return records

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the mapped arrays: NumPy would pickle the pixels themselves."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def load_dataset(
    source: str,
    options: DataOptions = NO_WISHES,
    *,
    seed: int = 0,
    channels: int | None = None,
    labelled_only: bool = False,
    largest: int = MAX_DEFAULT_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Return the data set at `source`.

    Args:
        source: path of a folder, an archive, a table of labels or arrays, or "demo", which is built in.
        options: wishes of the user. Without `image_size` the side is the most
            frequent shorter side of the images, at most `largest`. Without `positive` it is, of two classes,
            the one with the word fake, ai, generated or synthetic in its name, else the second. A smaller
            sample of `limit` images lies within a larger one of the same seed.
        seed: of the splits that the source lacks, 0 or more.
        channels: 1 or 3; None takes 3 unless every image is grey.
        labelled_only: accept a single class, and too few images for splits; `splits` then raises DataError.
        largest: most pixels a side where no image size is given, 8..1024.
        progress: called with (number of files, 0) while files are listed, with (done, total) while images
            are decoded; not where they are in the cache.

    Raises:
        DataError: the data set cannot be used.
    """
    _require_bounds(seed, channels)
    opened = open_source(source)
    if progress:
        opened = replace(opened, listed=lambda number: progress(number, 0))
    wanted = WantedFormat(options.image_size, channels, largest, options.resize)
    folder, meta = prepare(opened, options, wanted, 1 if labelled_only else 2, progress)
    dataset = Dataset(
        name=re.sub("[^a-z0-9]+", "-", opened.name.lower()).strip("-") or "dataset",
        source=opened.location,
        cache_dir=folder,
        seed=seed,
        fingerprint=meta.fingerprint,
        class_names=meta.class_names,
        image_shape=meta.image_shape,
        positive_class=_positive_class(meta.class_names, options.positive),
        skipped=meta.skipped,
        pixel_stats=meta.pixel_stats,
        pixel_range=meta.pixel_range,
        resize=options.resize,
        group_names=meta.group_names,
        groups_stay_together=meta.groups_stay_together,
        notes=meta.notes,
    )
    _require_few_skipped(dataset, 0.0 if options.strict else options.max_unusable)
    limit, limit_test = (
        None if most is None or most >= len(dataset.records) else most
        for most in (options.limit, options.limit_test)
    )
    if limit is not None or limit_test is not None:
        sample = f"{dataset.fingerprint} {limit} {limit_test} {seed}".encode()
        fingerprint = blake2b(sample, digest_size=8).hexdigest()
        dataset = replace(dataset, limit=limit, limit_test=limit_test, fingerprint=fingerprint)
    if not labelled_only:
        _ = dataset.splits
    return dataset


def _require_bounds(seed: int, channels: int | None) -> None:
    if channels not in (None, 1, 3):
        raise DataError(f"{channels} channels are not possible. Allowed: 1 (grey) or 3 (RGB). Choose one.")
    if seed < 0:
        raise DataError(f"seed {seed} is negative. Allowed: 0 or more. Choose another.")


def _positive_class(class_names: tuple[str, ...], wanted: str | None) -> str | None:
    if wanted is not None:
        if wanted in class_names:
            return wanted
        raise DataError(
            f"positive class '{wanted}' is no class of the data.{did_you_mean(wanted, class_names)} "
            f"Allowed: {', '.join(class_names[:20])}{', ...' if len(class_names) > 20 else ''}. Name one."
        )
    return positive_class(class_names)


def _require_few_skipped(dataset: Dataset, allowed: float) -> None:
    skipped = dataset.skipped
    total = len(dataset.records) + len(skipped)
    if len(skipped) <= allowed * total:
        return
    shown = "; ".join(f"{image.path} ({image.reason})" for image in skipped[:_SHOWN_SKIPPED])
    more = f"; and {len(skipped) - _SHOWN_SKIPPED:,} more" if len(skipped) > _SHOWN_SKIPPED else ""
    raise DataError(
        f"{dataset.source}: {len(skipped):,} of {total:,} images cannot be used: {shown}{more}. "
        f"Allowed: {f'{100 * allowed:.3g}%' if allowed else 'none (strict)'}. tuner data show lists them; "
        f"repair them, take them away, or allow more with --max-unusable."
    )


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array
