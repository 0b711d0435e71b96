import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from tests.sources.refusals import refusal
from tuner.data.cache import RECORD
from tuner.data.splits import TEST, TRAIN, VALIDATION, in_conflict, split_indices
from tuner.errors import DataError
from tuner.sources.listing import NO_GROUP, NO_SPLIT

NAMES = ("a", "b", "c")


def recorded(labels: ArrayLike, hashes: ArrayLike, official: ArrayLike = NO_SPLIT) -> np.ndarray:
    records = np.zeros(len(np.asarray(labels)), RECORD)
    records["label"], records["pixel_hash"], records["split"] = labels, hashes, official
    return records


def make(groups: list[tuple[int, int]], official: list[int] | int = NO_SPLIT) -> np.ndarray:
    """Return the records of groups of equal images, each (label, size)."""
    sizes = [size for _, size in groups]
    labels = np.repeat([label for label, _ in groups], sizes)
    return recorded(labels, np.repeat(np.arange(len(groups)), sizes), official)


@st.composite
def data_sets(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Groups of equal images: some duplicates, and at least five images that have none, of each class."""
    groups = [(label, 1) for label in range(len(NAMES)) for _ in range(draw(st.integers(5, 30)))]
    groups += draw(st.lists(st.tuples(st.integers(0, len(NAMES) - 1), st.integers(2, 4)), max_size=8))
    return draw(st.permutations(groups))


seeds = st.integers(0, 2**32)


@given(data_sets(), seeds)
def test_every_image_is_in_exactly_one_split(groups: list[tuple[int, int]], seed: int) -> None:
    splits = split_indices(make(groups), NAMES, seed)
    joined = np.concatenate(list(splits.values()))
    assert sorted(joined) == list(range(sum(size for _, size in groups)))
    assert list(splits) == ["train", "validation", "test"]
    assert all((np.diff(indices) > 0).all() for indices in splits.values())


@given(data_sets(), seeds)
def test_duplicates_are_on_one_side(groups: list[tuple[int, int]], seed: int) -> None:
    records = make(groups)
    splits = split_indices(records, NAMES, seed)
    sides = [set(records["pixel_hash"][indices].tolist()) for indices in splits.values()]
    assert sum(map(len, sides)) == len(set().union(*sides))


@given(data_sets(), seeds)
def test_each_class_is_split_in_proportion_within_one(groups: list[tuple[int, int]], seed: int) -> None:
    records = make(groups)
    labels, splits = records["label"], split_indices(records, NAMES, seed)
    for label in range(len(NAMES)):
        total = np.count_nonzero(labels == label)
        singles = sum(1 for group in groups if group == (label, 1))
        for split, fraction in (("validation", 0.2), ("test", 0.1)):
            count = np.count_nonzero(labels[splits[split]] == label)
            assert count <= max(1, fraction * total + 1)
            if singles >= 0.3 * total + 3:  # enough of them to fill what duplicates leave
                assert abs(count - fraction * total) <= 1


@given(data_sets(), seeds)
@settings(max_examples=30)
def test_the_same_seed_gives_the_same_splits(groups: list[tuple[int, int]], seed: int) -> None:
    first, second = (split_indices(make(groups), NAMES, seed) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


@given(data_sets(), seeds)
@settings(max_examples=30)
def test_official_splits_are_kept(groups: list[tuple[int, int]], seed: int) -> None:
    records = make(groups * 2)
    records["pixel_hash"] %= len(groups)  # every image of test is in train too
    records["split"] = np.repeat([TRAIN, TEST], len(records) // 2)
    splits = split_indices(records, NAMES, seed)
    assert splits["test"].tolist() == np.flatnonzero(records["split"] == TEST).tolist()


def test_different_seeds_give_different_splits() -> None:
    data = make([(label, 1) for label in (0, 1) for _ in range(100)])
    first, second = (split_indices(data, ("a", "b"), seed)["test"] for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_shares_are_70_20_10_without_splits() -> None:
    splits = split_indices(make([(label, 1) for label in (0, 1) for _ in range(50)]), ("a", "b"), 0)
    assert [len(splits[name]) for name in splits] == [70, 20, 10]


def test_a_fifth_of_train_becomes_validation_where_a_test_split_exists() -> None:
    groups = [(label, 1) for label in (0, 1) for _ in range(60)]
    splits = split_indices(make(groups, ([TRAIN] * 50 + [TEST] * 10) * 2), ("a", "b"), 0)
    assert [len(splits[name]) for name in splits] == [80, 20, 20]


def test_a_tenth_of_train_becomes_test_where_only_validation_exists() -> None:
    groups = [(label, 1) for label in (0, 1) for _ in range(60)]
    splits = split_indices(make(groups, ([TRAIN] * 50 + [VALIDATION] * 10) * 2), ("a", "b"), 0)
    assert [len(splits[name]) for name in splits] == [90, 20, 10]


def test_three_different_images_of_a_class_are_enough() -> None:
    splits = split_indices(make([(0, 1), (0, 1), (0, 1), (1, 5), (1, 5), (1, 5)]), ("a", "b"), 0)
    assert sorted(len(splits[name]) for name in splits) == [6, 6, 6]


@pytest.mark.parametrize("groups", [[(0, 1)] * 9 + [(1, 1)] * 2, [(0, 1)] * 9 + [(1, 40)]])
def test_a_class_too_small_for_every_split_is_an_error(groups: list[tuple[int, int]]) -> None:
    of_b = sum(size for label, size in groups if label == 1)
    with refusal(DataError, "class 'b'", "too few", f"{of_b} in all"):
        split_indices(make(groups), ("a", "b"), 0)


def test_images_that_contradict_each_other_stay_in_train() -> None:
    records = make([(label, 1) for label in (0, 1) for _ in range(50)])
    records["pixel_hash"][50:60] = records["pixel_hash"][:10]
    splits = split_indices(records, ("a", "b"), 3)
    assert set(splits["train"]) >= {*range(10), *range(50, 60)}
    assert [len(splits[name]) for name in splits] == [70, 20, 10]


def test_classes_with_the_same_images_are_an_error_that_says_so() -> None:
    records = make([(label, 1) for label in (0, 1) for _ in range(50)])
    records["pixel_hash"] %= 50
    with refusal(DataError, "50 in all", "50 with the same pixels", "another class"):
        split_indices(records, ("a", "b"), 0)


def test_a_conflict_is_the_same_pixels_with_another_class() -> None:
    assert in_conflict(recorded([0, 1, 1, 1, 0], [7, 7, 8, 8, 9])).tolist() == [True, True] + [False] * 3


@st.composite
def grouped_data_sets(draw: st.DrawFn) -> np.ndarray:
    """Records of groups of one to six images of any classes, some of them with the same pixels."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=30, max_size=60))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    records = recorded(rng.integers(0, len(NAMES), len(groups)), np.arange(len(groups)))
    records["group"] = np.where(rng.random(len(groups)) < 0.1, NO_GROUP, groups)
    twins = rng.integers(0, len(groups), (3, 2))
    records["pixel_hash"][twins[:, 0]] = records["pixel_hash"][twins[:, 1]]
    return records


@given(grouped_data_sets(), seeds)
@settings(max_examples=50)
def test_no_split_tears_a_group_or_parts_twins(records: np.ndarray, seed: int) -> None:
    splits = split_indices(records, NAMES, seed, tuple(map(str, range(60))))
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(records)))
    for field in ("group", "pixel_hash"):
        sides = [set(records[field][indices].tolist()) - {NO_GROUP} for indices in splits.values()]
        assert sum(map(len, sides)) == len(set().union(*sides))
    again = split_indices(records, NAMES, seed, tuple(map(str, range(60))))
    assert all(np.array_equal(splits[name], again[name]) for name in splits)


def test_groups_fill_the_shares_of_each_class() -> None:
    records = recorded(np.tile([0, 0, 1, 1, 1], 40), np.arange(200))
    records["group"] = np.repeat(np.arange(40), 5)
    splits = split_indices(records, ("a", "b"), 0, tuple(map(str, range(40))))
    counts = [np.bincount(records["label"][indices]).tolist() for indices in splits.values()]
    assert counts == [[56, 84], [16, 24], [8, 12]]


def test_a_class_in_too_few_groups_is_an_error() -> None:
    records = recorded([0] * 30 + [1] * 30, np.arange(60))
    records["group"] = np.concatenate([np.arange(30), np.repeat([30, 31], 15)])
    with refusal(DataError, "class 'b'", "too few", "2 groups"):
        split_indices(records, ("a", "b"), 0, tuple(map(str, range(32))))


def test_splits_of_the_source_that_tear_a_group_are_an_error() -> None:
    records = recorded([0, 1] * 20, np.arange(40), [TRAIN] * 30 + [TEST] * 10)
    records["group"] = [*range(39), 0]
    with refusal(DataError, "'p0'", "train and test", "--group-column"):
        split_indices(records, ("a", "b"), 0, tuple(f"p{number}" for number in range(40)))


def test_a_class_without_a_readable_image_is_named_with_the_way_to_list_them() -> None:
    records = np.zeros(9, RECORD)
    records["split"], records["group"], records["pixel_hash"] = NO_SPLIT, NO_GROUP, range(9)
    with pytest.raises(DataError, match=r"'b'.*--unusable"):
        split_indices(records, ("a", "b"), 0)


def test_a_class_of_the_test_alone_is_called_that() -> None:
    records = np.zeros(20, RECORD)
    records["split"], records["group"], records["pixel_hash"] = 0, NO_GROUP, range(20)
    records["label"][15:], records["split"][12:] = 1, 2
    with pytest.raises(DataError, match=r"'b'.*5 images in test.*none in train"):
        split_indices(records, ("a", "b"), 0)
