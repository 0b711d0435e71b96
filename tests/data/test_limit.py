"""Stratified samples of a data set."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.pictures import tree, write_folder
from tests.sources.refusals import refusal
from tuner.data.dataset import Dataset, load_dataset
from tuner.data.splits import sample_splits
from tuner.data_options import DataOptions
from tuner.errors import DataError

SIZES = {"train": (700, 300), "validation": (70, 30), "test": (140, 60)}
NUM_CELLS = 6


def make(sizes: Mapping[str, tuple[int, ...]] = SIZES) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return splits and labels; `sizes` gives the number of images of each class in each split."""
    labels = np.concatenate([np.repeat(np.arange(len(row)), row) for row in sizes.values()])
    order = np.random.default_rng(0).permutation(len(labels))  # splits lie scattered over the images
    ends = np.cumsum([sum(row) for row in sizes.values()])[:-1]
    scattered = np.empty_like(labels)
    scattered[order] = labels
    return dict(zip(sizes, map(np.sort, np.split(order, ends)), strict=True)), scattered


def counts(splits: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, list[int]]:
    return {split: np.bincount(labels[indices]).tolist() for split, indices in splits.items()}


limits = st.integers(NUM_CELLS, sum(map(sum, SIZES.values())))
seeds = st.integers(0, 2**32)


@given(limits, seeds)
def test_a_sample_has_as_many_images_as_asked_for(limit: int, seed: int) -> None:
    splits, labels = make()
    sample = sample_splits(splits, labels, limit, seed)
    assert sum(map(len, sample.values())) == limit
    assert all((np.diff(indices) > 0).all() for indices in sample.values())


@given(limits, limits, seeds)
def test_a_smaller_sample_lies_within_a_larger_one(one: int, other: int, seed: int) -> None:
    splits, labels = make()
    small, large = (sample_splits(splits, labels, limit, seed) for limit in sorted((one, other)))
    for split, indices in splits.items():
        assert set(small[split]) <= set(large[split]) <= set(indices)


@given(st.integers(200, 1300), seeds)
def test_each_class_keeps_its_share_in_each_split(limit: int, seed: int) -> None:
    splits, labels = make()
    whole, sample = counts(splits, labels), counts(sample_splits(splits, labels, limit, seed), labels)
    for split in splits:
        for all_images, taken in zip(whole[split], sample[split], strict=True):
            assert abs(taken - all_images * limit / len(labels)) <= 2


@pytest.mark.parametrize(("limit", "least"), [(NUM_CELLS, 1), (2 * NUM_CELLS, 2), (30, 2)])
def test_even_a_small_sample_has_every_class_in_every_split(limit: int, least: int) -> None:
    splits, labels = make()
    sample = counts(sample_splits(splits, labels, limit, 0), labels)
    assert min(min(row) for row in sample.values()) == least


def test_a_class_smaller_than_its_minimum_is_taken_whole() -> None:
    splits, labels = make({"train": (50, 50), "validation": (10, 1), "test": (5, 5)})
    assert counts(sample_splits(splits, labels, 20, 0), labels)["validation"][1] == 1


def test_seeds_give_different_samples_of_the_same_splits() -> None:
    splits, labels = make()
    first, second = (sample_splits(splits, labels, 100, seed)["train"] for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(write_folder(tmp_path, tree("train/FAKE", "train/REAL", "test/FAKE", "test/REAL")))


@pytest.mark.parametrize("given_splits", [True, False])
def test_a_limit_leaves_the_test_split_whole(given_splits: bool, source: str, tmp_path: Path) -> None:
    if not given_splits:
        source = str(write_folder(tmp_path / "carved", tree("FAKE", "REAL", count=20)))
    whole, dataset = load_dataset(source), load_dataset(source, DataOptions(limit=10))
    assert {split: sum(found.values()) for split, found in dataset.counts().items() if split != "test"} == {
        "train": 6,
        "validation": 4,
    }
    assert all(found["FAKE"] == found["REAL"] for found in dataset.counts().values())
    assert all(set(dataset.splits[split]) <= set(indices) for split, indices in whole.splits.items())
    np.testing.assert_array_equal(dataset.splits["test"], whole.splits["test"])


def test_the_test_split_has_a_limit_of_its_own(source: str) -> None:
    whole, dataset = load_dataset(source), load_dataset(source, DataOptions(limit_test=6))
    assert dataset.counts()["test"] == {"FAKE": 3, "REAL": 3}
    assert set(dataset.splits["test"]) <= set(whole.splits["test"])
    for split in ("train", "validation"):
        np.testing.assert_array_equal(dataset.splits[split], whole.splits[split])


def test_it_is_the_same_after_pickling(source: str) -> None:
    dataset = load_dataset(source, DataOptions(limit=20))
    copy: Dataset = pickle.loads(pickle.dumps(dataset))
    assert copy == dataset
    np.testing.assert_array_equal(copy.splits["train"], dataset.splits["train"])


def test_a_sample_has_a_fingerprint_of_its_own(source: str) -> None:
    requests = [
        DataOptions(**limits)
        for limits in (
            {},
            {"limit": 10},
            {"limit": 11},
            {"limit_test": 10},
            {"limit": 10, "limit_test": 10},
        )
    ]
    fingerprints = {load_dataset(source, request).fingerprint for request in requests}
    fingerprints.add(load_dataset(source, DataOptions(limit=10), seed=1).fingerprint)
    assert len(fingerprints) == 6
    assert load_dataset(source, DataOptions(limit=20)) == load_dataset(source, DataOptions(limit=20))


@pytest.mark.parametrize("limit", [40, 41])
def test_a_limit_of_all_images_or_more_changes_nothing(source: str, limit: int) -> None:
    assert load_dataset(source, DataOptions(limit=limit, limit_test=limit)) == load_dataset(source)


def test_a_limit_decodes_nothing_anew(source: str) -> None:
    whole = load_dataset(source)
    decoded: list[int] = []
    assert (
        load_dataset(source, DataOptions(limit=20), progress=lambda done, _: decoded.append(done)).cache_dir
        == whole.cache_dir
    )
    assert not decoded


@pytest.mark.parametrize("limit", [3, 1])
def test_a_limit_too_small_for_every_class_and_split_is_refused(source: str, limit: int) -> None:
    with refusal(DataError, source, f"limit {limit} ", "2 classes", "train", "validation", "4 images"):
        load_dataset(source, DataOptions(limit=limit))


def test_a_limit_too_small_for_the_test_of_every_class_is_refused(source: str) -> None:
    with refusal(DataError, source, "limit 1 ", "2 classes", "test", "2 images"):
        load_dataset(source, DataOptions(limit_test=1))
