import keras_tuner as kt
import pytest

from search_spaces import DataSpec, sequential
from tuner.spaces.configurations import (
    all_values,
    constants,
    draw,
    effective,
    enumerate_space,
    key,
    nearest,
    space_size,
)


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


def two_branches():
    """One name, another range in each branch."""
    hp = kt.HyperParameters()
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a"]):
        hp.Int("n", 1, 2)
    with hp.conditional_scope("kind", ["b"]):
        hp.Int("n", 10, 12)
    return hp


def every_type():
    """One hyperparameter of each type, step and sampling."""
    hp = kt.HyperParameters()
    hp.Int("int", -3, 8)
    hp.Int("int_step", 20, 105, step=20)
    hp.Int("int_log", 1, 9, sampling="log")
    hp.Int("int_log_step", 4, 70, step=2, sampling="log")
    hp.Float("float_step", 0.0, 0.5, step=0.1)
    hp.Float("float_log_step", 1e-4, 1e-1, step=10, sampling="log")
    hp.Float("float_reverse_step", 1.0, 100.0, step=10, sampling="reverse_log")
    hp.Choice("word", ["relu", "tanh"])
    hp.Choice("number", [1e-3, 5e-4])
    hp.Boolean("flag")
    hp.Fixed("fixed", 7)
    return hp


EVERY_TYPE = {parameter.name: parameter for parameter in every_type().space}


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
    assert [values["n"] for values in enumerate_space(two_branches())] == [1, 2, 10, 11, 12]


def test_the_size_of_a_conditional_space_is_exact():
    assert space_size(layered()) == 14


def test_the_size_of_a_space_with_shared_names_is_exact():
    assert space_size(two_branches()) == len(list(enumerate_space(two_branches()))) == 5


def test_the_size_of_the_reference_space_is_36000():
    hp = kt.HyperParameters()
    sequential.build(hp, DataSpec((8, 8, 3), 2))
    assert space_size(hp) == 36_000


def test_a_continuous_range_has_no_size():
    hp = kt.HyperParameters()
    hp.Float("rate", 1e-4, 1e-1, sampling="log")
    assert space_size(hp) is None


def test_a_huge_space_is_counted_without_being_walked():
    hp = kt.HyperParameters()
    for number in range(12):
        hp.Int(f"units_{number}", 1, 1000)
    assert space_size(hp) == 1000**12


def test_conditions_too_many_to_count_leave_the_size_open():
    hp = kt.HyperParameters()
    for number in range(2):
        hp.Int(f"depth_{number}", 1, 1000)
    for number in range(2):
        hp.Int(f"units_{number}", 1, 5, parent_name=f"depth_{number}", parent_values=[1])
    assert space_size(hp) is None


def test_independent_conditions_are_counted_apart():
    hp = kt.HyperParameters()
    for number in range(8):
        hp.Int(f"depth_{number}", 1, 1000)
        hp.Int(f"units_{number}", 1, 5, parent_name=f"depth_{number}", parent_values=[1])
    assert space_size(hp) == (5 + 999) ** 8


def test_a_condition_on_an_early_hyperparameter_is_counted():
    hp = kt.HyperParameters()
    hp.Choice("kind", ["a", "b"])
    hp.Choice("other", ["a", "b", "c"])
    hp.Int("n", 1, 5, parent_name="kind", parent_values=["a"])
    assert space_size(hp) == len(list(enumerate_space(hp))) == 3 * 5 + 3


def test_a_continuous_range_cannot_be_listed():
    hp = kt.HyperParameters()
    hp.Float("rate", 0.0, 1.0)
    with pytest.raises(ValueError, match="'rate' is continuous"):
        list(enumerate_space(hp))


def test_a_stepped_float_can_be_listed():
    hp = kt.HyperParameters()
    hp.Float("rate", 0.0, 0.5, step=0.25)
    assert list(enumerate_space(hp)) == [{"rate": 0.0}, {"rate": 0.25}, {"rate": 0.5}]


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_the_values_listed_are_those_that_keras_tuner_draws(name):
    parameter = EVERY_TYPE[name]
    drawn = {parameter.random_sample(seed) for seed in range(400)}
    listed = list(all_values(parameter))
    assert drawn == set(listed)
    assert {type(value) for value in listed} == {type(value) for value in drawn}


def test_a_stepped_float_ends_where_keras_tuner_ends_it():
    """By floating-point division, 0 to 0.5 in steps of 0.1 has five values: 0.5 is never drawn."""
    assert list(all_values(EVERY_TYPE["float_step"])) == [0.0, 0.1, 0.2, 0.30000000000000004, 0.4]


def test_drawn_values_lie_in_the_space():
    space = layered()
    listed = [key(values) for values in enumerate_space(space)]
    assert {key(draw(space, seed)) for seed in range(300)} == set(listed)


@pytest.mark.parametrize(("number", "position"), [(-5, 0), (24, 0), (31, 1), (60, 2), (999, 4)])
def test_the_nearest_value_is_found(number, position):
    assert nearest(range(20, 101, 20), number) == position


def test_a_space_without_hyperparameters_has_one_configuration():
    hp = kt.HyperParameters()
    assert list(enumerate_space(hp)) == [{}]


def test_a_hyperparameter_with_one_value_is_constant():
    hp = kt.HyperParameters()
    hp.Choice("one", [3])
    hp.Fixed("fixed", "a")
    hp.Choice("two", [1, 2])
    hp.Float("range", 0.0, 1.0)
    with hp.conditional_scope("two", [1]):
        hp.Choice("branched", [5])
    with hp.conditional_scope("two", [2]):
        hp.Choice("branched", [6])
    assert constants(hp) == {"one", "fixed"}
