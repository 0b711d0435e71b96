import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.analysis.value_bins import MAX_LEVELS, NUM_RANGES, coordinates, levels


def test_few_values_are_levels_of_their_own_in_ascending_order():
    found = levels([0.01, 0.001, 0.01])
    assert found.labels == ("0.001", "0.01")
    assert found.positions.tolist() == [1, 0, 1]


def test_texts_and_truth_values_are_in_order_too():
    assert levels(["tanh", "relu"]).labels == ("relu", "tanh")
    assert levels([True, False]).labels == ("False", "True")


def test_many_texts_stay_apart():
    assert len(levels(list("abcdefghij")).labels) == 10


def test_many_numbers_are_laid_into_ranges():
    found = levels(list(range(100, 900, 100)))
    assert found.labels == ("100..200", "300..400", "500..600", "700..800")


@given(st.lists(st.floats(-1e6, 1e6), min_size=MAX_LEVELS + 1, max_size=60, unique=True))
def test_ranges_hold_each_value_once_and_follow_one_another(values):
    found = levels(values)
    assert len(found.labels) == NUM_RANGES
    for low in range(NUM_RANGES - 1):
        below = [value for value, position in zip(values, found.positions, strict=True) if position == low]
        above = [
            value for value, position in zip(values, found.positions, strict=True) if position == low + 1
        ]
        assert max(below) < min(above)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_equal_values_share_a_level(values):
    found = levels(values)
    pairs = set(zip(values, found.positions.tolist(), strict=True))
    assert len(pairs) == len(set(values))


def test_few_values_divide_their_stretch_evenly():
    numbers, low, high = coordinates([0.1, 0.001, 0.01], logarithmic=False)
    assert (numbers.tolist(), low, high) == ([2.0, 0.0, 1.0], -0.5, 2.5)


def test_many_values_lie_where_they_are_or_by_order_of_magnitude():
    values = [10.0**power for power in range(8)]
    assert coordinates(values, logarithmic=False)[0].tolist() == values
    assert coordinates(values, logarithmic=True)[0] == pytest.approx(np.log(10) * np.arange(8))
