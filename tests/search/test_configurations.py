import keras_tuner as kt
import pytest

from tuner.search.configurations import effective, enumerate_space, key, size_at_most


def layered():
    """Two kinds; one has a depth, and a unit count for each layer up to it: 2 + (3 + 3 * 3) = 14 points."""
    hp = kt.HyperParameters()
    hp.Choice("kind", ["flat", "deep"])
    with hp.conditional_scope("kind", ["flat"]):
        hp.Boolean("bias")
    with hp.conditional_scope("kind", ["deep"]):
        hp.Int("depth", 1, 2)
        for layer in (1, 2):
            with hp.conditional_scope("depth", list(range(layer, 3))):
                hp.Int(f"units_{layer}", 10, 30, step=10)
    return hp


def test_effective_values_leave_out_inactive_hyperparameters():
    values = {"kind": "flat", "bias": True, "depth": 2, "units_1": 10, "units_2": 20}
    assert effective(layered(), values) == {"kind": "flat", "bias": True}


def test_effective_values_leave_out_what_hangs_on_an_inactive_one():
    values = {"kind": "deep", "depth": 1, "units_1": 10, "units_2": 20, "bias": True}
    assert effective(layered(), values) == {"kind": "deep", "depth": 1, "units_1": 10}


def test_effective_values_leave_the_space_as_it_was():
    hp = layered()
    before = dict(hp.values)
    effective(hp, {"kind": "deep", "depth": 2, "units_1": 30, "units_2": 20})
    assert hp.values == before


def test_two_configurations_that_differ_in_inactive_values_are_one():
    first = effective(layered(), {"kind": "flat", "bias": True, "depth": 1})
    second = effective(layered(), {"kind": "flat", "bias": True, "depth": 2})
    assert key(first) == key(second)


def test_the_key_does_not_depend_on_the_order_of_names():
    assert key({"a": 1, "b": 0.5}) == key({"b": 0.5, "a": 1})


def test_the_key_tells_values_apart():
    assert len({key({"a": value}) for value in (1, 2, "1", True, None, 0.1)}) == 6


def test_a_listing_holds_every_configuration_once():
    listed = list(enumerate_space(layered()))
    assert len(listed) == 14
    assert len({key(values) for values in listed}) == 14


def test_a_listing_holds_effective_values_only():
    assert all(effective(layered(), values) == values for values in enumerate_space(layered()))


def test_a_name_used_in_two_branches_takes_the_values_of_the_active_one():
    hp = kt.HyperParameters()
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a"]):
        hp.Int("n", 1, 2)
    with hp.conditional_scope("kind", ["b"]):
        hp.Int("n", 10, 12)
    assert [values["n"] for values in enumerate_space(hp)] == [1, 2, 10, 11, 12]


@pytest.mark.parametrize(("limit", "fits"), [(13, False), (14, True), (15, True)])
def test_the_size_of_a_conditional_space_is_exact(limit, fits):
    assert size_at_most(layered(), limit) is fits


def test_a_continuous_range_is_larger_than_any_limit():
    hp = kt.HyperParameters()
    hp.Float("rate", 1e-4, 1e-1, sampling="log")
    assert not size_at_most(hp, 10**9)


def test_a_continuous_range_cannot_be_listed():
    hp = kt.HyperParameters()
    hp.Float("rate", 0.0, 1.0)
    with pytest.raises(ValueError, match="'rate' is continuous"):
        list(enumerate_space(hp))


def test_a_stepped_float_can_be_listed():
    hp = kt.HyperParameters()
    hp.Float("rate", 0.0, 0.5, step=0.25)
    assert size_at_most(hp, 3)


def test_a_huge_space_is_not_walked_to_its_end():
    hp = kt.HyperParameters()
    for number in range(12):
        hp.Int(f"units_{number}", 1, 1000)
    assert not size_at_most(hp, 100)


def test_a_space_without_hyperparameters_has_one_configuration():
    hp = kt.HyperParameters()
    assert list(enumerate_space(hp)) == [{}]
