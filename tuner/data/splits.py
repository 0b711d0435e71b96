"""Train, validation and test split: pure functions of labels, duplicates, official splits and a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.data.listing import NO_SPLIT
from tuner.data_options import SPLITS
from tuner.errors import DataError

VALIDATION_FRACTION = 0.2
"""Of train where the source has a test split, of all images where it has no splits."""
TEST_FRACTION = 0.1
"""Of train where the source has a validation split, of all images where it has no splits."""

MIN_SAMPLED = 2
"""Images of each class in each split that a sample takes before shares count."""

TRAIN, VALIDATION, TEST = range(len(SPLITS))
# A stream of its own: a sample does not follow the order in which the splits were carved.
_SAMPLE_STREAM = 1


def split_indices(
    records: npt.NDArray[Any], class_names: Sequence[str], seed: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the sorted indices of each split; each image is in one split.

    The splits of the source are kept. A missing split is carved from train, class by class, and images with
    the same pixels stay together. Those with the same pixels but different classes stay in train, where they
    distort no score.

    Args:
        records: `label`, `pixel_hash` and `split` of each image, as in `cache.RECORD`, shape (n,).

    Raises:
        DataError: a class has too few different images to be in every split.
    """
    labels, pixel_hashes, official = records["label"], records["pixel_hash"], records["split"]
    assignment = np.where(official == NO_SPLIT, TRAIN, official)
    pool = np.flatnonzero(assignment == TRAIN)
    lacking = [split for split in (TEST, VALIDATION) if not (official == split).any()]
    fractions = {TEST: TEST_FRACTION, VALIDATION: VALIDATION_FRACTION}
    rng = np.random.default_rng(seed)
    carvable = pool[~in_conflict(records[pool])]
    for label in range(len(class_names)):
        of_class = np.count_nonzero(labels[pool] == label)
        free = carvable[labels[carvable] == label]
        _, group, sizes = np.unique(pixel_hashes[free], return_inverse=True, return_counts=True)
        order = rng.permutation(len(sizes))
        for place, split in enumerate(lacking):
            target = max(1, int(of_class * fractions[split] + 0.5))
            taken = order[_fill(sizes[order], target, reserve=len(lacking) - place)]
            assignment[free[np.isin(group, taken)]] = split
            order = order[~np.isin(order, taken)]
    _require_every_class(assignment, records, class_names)
    return {name: np.flatnonzero(assignment == split) for split, name in enumerate(SPLITS)}


def sample_splits(
    splits: Mapping[str, npt.NDArray[np.int64]], labels: npt.NDArray[Any], limit: int, seed: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the indices of each split in a stratified sample of `limit` images in all, sorted.

    Each class keeps its share in each split, except in small samples: MIN_SAMPLED images of each come first,
    one where there are too few places. A smaller sample lies within a larger one of the same seed, split by
    split. A limit of all images or more leaves the splits as they are.

    Source: Webster's method of apportionment, which gives out one place after the other and never takes one
    back as the number of places grows: Balinski & Young 1982, Fair Representation.

    Raises:
        DataError: the limit is lower than the number of classes times that of splits.
    """
    rng = np.random.default_rng([seed, _SAMPLE_STREAM])
    cells = [
        (split, rng.permutation(indices[labels[indices] == label]))
        for split, indices in splits.items()
        for label in np.unique(labels)
    ]
    if limit < len(cells):
        classes = len(cells) // len(splits)
        raise DataError(
            f"limit {limit} is too small for {classes} classes in {' and '.join(splits)}. "
            f"Allowed: {len(cells)} images or more. Raise it, or leave it out to take all of them."
        )
    turns = np.concatenate([_turns(len(images)) for _, images in cells])
    ends = np.cumsum([len(images) for _, images in cells])
    taken = np.argsort(turns, kind="stable")[:limit]
    sizes = np.bincount(np.searchsorted(ends, taken, side="right"), minlength=len(cells))
    sampled: dict[str, list[npt.NDArray[np.int64]]] = {split: [] for split in splits}
    for (split, images), size in zip(cells, sizes, strict=True):
        sampled[split].append(images[:size])
    return {split: np.sort(np.concatenate(parts)) for split, parts in sampled.items()}


def _turns(count: int) -> npt.NDArray[np.float64]:
    """Return the order in which `count` images enter a growing sample; the lowest first. Shape (count,)."""
    rank = np.arange(count)
    return np.where(rank < MIN_SAMPLED, rank - MIN_SAMPLED, (rank + 0.5) / count)


def in_conflict(records: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell for each image whether another one has the same pixels but a different class. Shape (n,)."""
    _, group = np.unique(records["pixel_hash"], return_inverse=True)
    num_labels = records["label"].max(initial=0) + 1
    group_of_pair = np.unique(group * num_labels + records["label"]) // num_labels  # one pair a class
    conflict: npt.NDArray[np.bool_] = np.bincount(group_of_pair)[group] > 1
    return conflict


def _fill(sizes: npt.NDArray[Any], target: int, reserve: int) -> npt.NDArray[np.bool_]:
    """Choose groups in their order while they fit into `target` images; leave `reserve` groups for others.

    Where even the smallest group is too large, it alone is chosen, as a large split is better than none.
    """
    chosen = np.zeros(len(sizes), bool)
    most = len(sizes) - reserve
    if most <= 0:
        return chosen
    total = number = 0
    for index, size in enumerate(sizes.tolist()):
        if number == most or total == target:
            break
        if total + size <= target:
            chosen[index] = True
            total += size
            number += 1
    if not number:
        chosen[np.argmin(sizes)] = True
    return chosen


def _require_every_class(
    assignment: npt.NDArray[Any], records: npt.NDArray[Any], class_names: Sequence[str]
) -> None:
    labels = records["label"]
    for split, name in enumerate(SPLITS):
        present = np.bincount(labels[assignment == split], minlength=len(class_names))
        for label in np.flatnonzero(present == 0):
            of_class = labels == label
            shared = np.count_nonzero(in_conflict(records) & of_class)
            conflict = f" ({shared:,} with the same pixels as one of another class)" if shared else ""
            raise DataError(
                f"class '{class_names[int(label)]}' has too few different images: "
                f"{np.count_nonzero(of_class):,} in all{conflict}, none left for {name}. "
                f"Each class needs one or more in each of {', '.join(SPLITS)}. Add images or take it away."
            )
