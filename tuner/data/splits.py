"""Train, validation and test split: pure functions of labels, duplicates, official splits and a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.data_options import SPLITS
from tuner.errors import DataError
from tuner.sources.listing import NO_GROUP, NO_SPLIT
from tuner.units import counted

VALIDATION_FRACTION = 0.2
"""Of train where the source has a test split, of all images where it has no splits."""
TEST_FRACTION = 0.1
"""Of train where the source has a validation split, of all images where it has no splits."""

MIN_SAMPLED = 2
"""Images of each class in each split that a sample takes before shares count."""

TRAIN, VALIDATION, TEST = range(len(SPLITS))
_FRACTIONS = {VALIDATION: VALIDATION_FRACTION, TEST: TEST_FRACTION}
# A stream of its own: a sample does not follow the order in which the splits were carved.
_SAMPLE_STREAM = 1


def split_indices(
    records: npt.NDArray[Any], class_names: Sequence[str], seed: int, group_names: Sequence[str] = ()
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the sorted indices of each split; each image is in one split.

    The splits of the source are kept. A missing split is carved from train, class by class, and images with
    the same pixels stay together. Those with the same pixels but different classes stay in train, where they
    distort no score.

    Args:
        records: `label`, `pixel_hash`, `split` and `group` of each image, as in `cache.RECORD`, shape (n,).
        group_names: Names of groups whose images stay together; empty where groups do not matter.

    Raises:
        DataError: a class has too few different images or groups to be in every split, or the splits of the
            source tear a group.
    """
    official = records["split"]
    assignment = np.where(official == NO_SPLIT, TRAIN, official)
    pool = np.flatnonzero(assignment == TRAIN)
    lacking = [split for split in (TEST, VALIDATION) if not (official == split).any()]
    rng = np.random.default_rng(seed)
    if group_names:
        _require_whole_groups(records["group"], assignment, group_names)
        assignment[pool] = _carve_groups(records[pool], len(class_names), lacking, rng)
    else:
        assignment[pool] = _carve_classes(records[pool], len(class_names), lacking, rng)
    _require_every_class(assignment, records, class_names, groups_matter=bool(group_names))
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


def _carve_classes(
    records: npt.NDArray[Any], num_classes: int, lacking: Sequence[int], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the split of each image of train where some splits are carved from it, class by class."""
    assignment = np.full(len(records), TRAIN)
    labels, pixel_hashes = records["label"], records["pixel_hash"]
    carvable = np.flatnonzero(~in_conflict(records))
    for label in range(num_classes):
        of_class = np.count_nonzero(labels == label)
        free = carvable[labels[carvable] == label]
        _, group, sizes = np.unique(pixel_hashes[free], return_inverse=True, return_counts=True)
        order = rng.permutation(len(sizes))
        for place, split in enumerate(lacking):
            target = max(1, int(of_class * _FRACTIONS[split] + 0.5))
            taken = order[_fill(sizes[order], target, reserve=len(lacking) - place)]
            assignment[free[np.isin(group, taken)]] = split
            order = order[~np.isin(order, taken)]
    return assignment


def _carve_groups(
    records: npt.NDArray[Any], num_classes: int, lacking: Sequence[int], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the split of each image of train where whole groups make up each split carved from it."""
    assignment = np.full(len(records), TRAIN)
    units = _units(records)
    counts = np.zeros((units.max(initial=-1) + 1, num_classes), np.int64)
    np.add.at(counts, (units, records["label"]), 1)
    order = rng.permutation(len(counts))
    order = order[~np.isin(order, units[in_conflict(records)])]
    for place, split in enumerate(lacking):
        target = np.maximum(1, (counts.sum(axis=0) * _FRACTIONS[split] + 0.5).astype(int))
        taken = order[_fill_with_units(counts[order], target, reserve=len(lacking) - place)]
        assignment[np.isin(units, taken)] = split
        order = order[~np.isin(order, taken)]
    return assignment


def _units(records: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return numbers that are equal for images that stay together: of one group, or with the same pixels."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, pixels = np.unique(records["pixel_hash"], return_inverse=True)
    alone = records["group"].max(initial=NO_GROUP) + 1 + pixels
    groups = np.where(records["group"] == NO_GROUP, alone, records["group"])
    nodes = groups.max(initial=-1) + 1 + pixels
    size = nodes.max(initial=-1) + 1
    links = coo_array((np.ones(len(records), bool), (groups, nodes)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    _, unit = np.unique(component[groups], return_inverse=True)
    return unit.astype(np.int64)


def _fill_with_units(
    counts: npt.NDArray[np.int64], target: npt.NDArray[np.int64], reserve: int
) -> npt.NDArray[np.bool_]:
    """Choose units in their order until they are near to `target`; leave `reserve` of each class for others.

    Units that fit come first, then those that bring the split nearer to its target, then the smallest unit of
    each class that is still lacking.

    Args:
        counts: Images of each class in each unit, shape (units, classes).
        target: Images of each class, shape (classes,).
    """
    chosen = np.zeros(len(counts), bool)
    total = np.zeros_like(target)
    spare = (counts > 0).sum(axis=0) - reserve

    def take(order: npt.NDArray[np.int64], suits: Callable[[npt.NDArray[np.int64]], Any]) -> None:
        for unit in order:
            row = counts[unit]
            if not chosen[unit] and (spare[row > 0] > 0).all() and suits(total + row):
                chosen[unit] = True
                total[:] += row
                spare[row > 0] -= 1

    order = np.arange(len(counts))
    take(order, lambda new: (new <= target).all())
    take(order, lambda new: (np.abs(new - target) / target).sum() < (np.abs(total - target) / target).sum())
    take(np.argsort(counts.sum(axis=1), kind="stable"), lambda new: (new[total == 0] > 0).any())
    return chosen


def _require_whole_groups(
    groups: npt.NDArray[Any], assignment: npt.NDArray[Any], group_names: Sequence[str]
) -> None:
    """Refuse splits of the source that tear a group."""
    pairs = np.unique(np.stack([groups, assignment])[:, groups != NO_GROUP], axis=1)
    torn = np.flatnonzero(np.bincount(pairs[0]) > 1)
    if len(torn):
        splits = " and ".join(SPLITS[split] for split in pairs[1][pairs[0] == torn[0]])
        raise DataError(
            f"the source puts images of group '{group_names[torn[0]]}' into {splits}, and tears "
            f"{len(torn):,} groups so. Allowed is a group in one split. Correct the splits, or leave out "
            f"--group-column."
        )


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
    assignment: npt.NDArray[Any], records: npt.NDArray[Any], class_names: Sequence[str], groups_matter: bool
) -> None:
    labels = records["label"]
    for split, name in enumerate(SPLITS):
        present = np.bincount(labels[assignment == split], minlength=len(class_names))
        for label in np.flatnonzero(present == 0):
            raise _lacking(records, labels == label, class_names[int(label)], name, groups_matter)


def _lacking(
    records: npt.NDArray[Any],
    of_class: npt.NDArray[np.bool_],
    class_name: str,
    split: str,
    groups_matter: bool,
) -> DataError:
    """Return the error for a class without images in a split."""
    count = int(np.count_nonzero(of_class))
    if not count:
        return DataError(
            f"class '{class_name}' has no image that can be read. Each class needs some in each of "
            f"{', '.join(SPLITS)}. List them with: tuner data show DATA --unusable."
        )
    official = set(records["split"][of_class].tolist())
    if NO_SPLIT not in official and TRAIN not in official:
        where = " and ".join(SPLITS[each] for each in sorted(official))
        return DataError(
            f"class '{class_name}' has {counted(count, 'image')} in {where}, and none in train. "
            f"Each class needs some in each of {', '.join(SPLITS)}. Add some, or take the class away."
        )
    shared = np.count_nonzero(in_conflict(records) & of_class)
    conflict = f" ({shared:,} with the same pixels as one of another class)" if shared else ""
    different = len(np.unique(records["group"][of_class]))
    groups = f" in {counted(different, 'group')}" if groups_matter else ""
    return DataError(
        f"class '{class_name}' has too few different images: "
        f"{count:,} in all{groups}{conflict}, none left for {split}. "
        f"Each class needs one or more in each of {', '.join(SPLITS)}. Add images, or leave "
        f"classes of few images out with --min-class-images {count + 1}."
    )
