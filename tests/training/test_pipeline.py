import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.training.pipeline import (
    DISPATCH_S,
    FIRST_STEPS,
    chunks,
    epoch_order,
    held,
    next_steps,
    stratified_part,
)
from tuner.training.seeds import derive_seed

INDICES = np.arange(100, 200)


def test_an_epoch_shows_every_image_once():
    assert sorted(epoch_order(INDICES, 1, 1)) == list(INDICES)


def test_an_epoch_depends_on_seed_and_number_alone():
    np.testing.assert_array_equal(epoch_order(INDICES, 1, 3), epoch_order(INDICES, 1, 3))


def test_epochs_and_seeds_differ_in_their_order():
    orders = {tuple(epoch_order(INDICES, seed, epoch)) for seed in (0, 1) for epoch in (1, 2)}
    assert len(orders) == 4


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 10))
def test_batches_hold_every_image_once_and_in_order(count, batch_size, steps):
    order = np.arange(count)
    parts = chunks(order, batch_size, steps)
    assert [image for part in parts for image in part.reshape(-1)] == list(order)


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 10))
def test_only_the_last_batch_may_be_smaller(count, batch_size, steps):
    sizes = [len(row) for part in chunks(np.arange(count), batch_size, steps) for row in part]
    assert set(sizes[:-1]) <= {batch_size}
    assert 1 <= sizes[-1] <= batch_size


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 10))
def test_no_part_holds_more_steps_than_allowed(count, batch_size, steps):
    assert max(len(part) for part in chunks(np.arange(count), batch_size, steps)) <= steps


@given(st.lists(st.one_of(st.integers(), st.text(max_size=5)), max_size=4))
def test_a_derived_seed_fits_every_library(parts):
    assert 0 <= derive_seed(*parts) < 2**31


def test_a_derived_seed_depends_on_every_part_and_their_order():
    seeds = {derive_seed(*parts) for parts in [(0, "a"), (1, "a"), (0, "b"), ("a", 0), (0, "a", 0)]}
    assert len(seeds) == 5


def test_a_derived_seed_is_the_same_in_every_process():
    assert derive_seed(0, "trial", 1) == 1021735874


def labelled(count=300):
    labels = np.array([0, 1, 1] * (count // 3))
    return np.arange(count)[::2], labels


@pytest.mark.parametrize("share", [0.1, 1 / 3, 0.5])
def test_a_part_of_the_data_has_that_share_of_each_class(share):
    indices, labels = labelled()
    part = stratified_part(indices, labels, share, seed=1)
    assert set(part) <= set(indices)
    for label in (0, 1):
        of_class = (labels[indices] == label).sum()
        assert (labels[part] == label).sum() == round(share * of_class)


def test_a_smaller_part_lies_within_a_larger():
    indices, labels = labelled()
    small, large = (set(stratified_part(indices, labels, share, seed=1)) for share in (0.1, 0.4))
    assert small < large


def test_the_smallest_part_has_an_image_of_each_class():
    indices, labels = labelled()
    assert set(labels[stratified_part(indices, labels, 1e-9, seed=1)]) == {0, 1}


def test_the_whole_is_every_image():
    indices, labels = labelled()
    assert stratified_part(indices, labels, 1.0, seed=1) is indices


def test_a_slow_dispatch_is_followed_by_a_shorter_one_and_none_grows_more_than_fourfold():
    assert next_steps(16, done=16, seconds=10 * DISPATCH_S) < 16
    assert next_steps(16, done=16, seconds=0.0) == 64
    assert next_steps(4, done=4, seconds=1e9) == FIRST_STEPS


def test_a_data_set_is_put_on_the_device_once_and_the_next_takes_its_place():
    puts = []

    def put(images, _):
        puts.append(images)
        return len(puts)

    first, second, labels = np.zeros(10), np.zeros(10), np.zeros(10)
    got = [held(images, labels, put, lambda: 1e9) for images in (first, first, second, second, first)]
    assert got == [1, 1, 2, 2, 3]


def test_a_data_set_that_is_too_large_is_not_put_there():
    images = np.zeros(1000, np.uint8)
    assert held(images, images, lambda *_: "put", lambda: 3999.0) is None
    assert held(images, images, lambda *_: "put", lambda: 4000.0) == "put"
