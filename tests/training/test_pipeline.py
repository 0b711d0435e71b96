import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuner.training.pipeline import chunks, epoch_order
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
