"""The whole space of a build is found, with the conditions that its code implies."""

from itertools import count

import keras_tuner as kt
import pytest

from tuner.spaces.configurations import effective, key, space_size
from tuner.spaces.unfolding import Build, unfold


class Builder:
    """Builds a space without models: a build function returns what its model depends on."""

    def __init__(self, build):
        self.build, self.built = build, 0

    def __call__(self, values):
        hp = kt.HyperParameters()
        hp.values = dict(values)
        self.built += 1
        try:
            model = self.build(hp)
        except ZeroDivisionError:
            return None
        active = {each.name: hp.values[each.name] for each in hp.space if hp.is_active(each)}
        return Build(tuple(hp.space), active, str(model))


def unfolded(build, **bounds):
    return unfold(Builder(build), **bounds)


def conditions(found):
    return {
        each.name: {condition.name: condition.values for condition in each.conditions}
        for each in found.parameters
        if each.conditions
    }


def names(found):
    return [each.name for each in found.parameters]


def size(found):
    space = kt.HyperParameters()
    space.merge(found.parameters)
    return space_size(space)


def layers(hp):
    return [hp.Int(f"units_{i}", 8, 24, step=8) for i in range(hp.Int("num_layers", 1, 3))]


def test_a_space_that_declares_all_at_once_stays_as_it_is():
    def build(hp):
        kind = hp.Choice("kind", ["mlp", "cnn"])
        with hp.conditional_scope("kind", ["cnn"]):
            filters = hp.Int("filters", 1, 4)
        return kind, filters, hp.Boolean("bias")

    found = unfolded(build)
    assert names(found) == ["kind", "filters", "bias"]
    assert conditions(found) == {"filters": {"kind": ["cnn"]}}
    assert (found.late, found.idle, found.untried) == ((), (), 0)


def test_hyperparameters_of_a_loop_stand_behind_their_neighbours_and_need_enough_layers():
    def build(hp):
        return layers(hp), hp.Choice("rate", [0.1, 0.01])

    found = unfolded(build)
    assert names(found) == ["num_layers", "units_0", "units_1", "units_2", "rate"]
    assert found.late == ("units_1", "units_2")
    assert conditions(found) == {"units_1": {"num_layers": [2, 3]}, "units_2": {"num_layers": [3]}}
    assert size(found) == (3 + 9 + 27) * 2


def test_each_value_of_a_long_loop_opens_its_own_layer():
    def build(hp):
        return [hp.Boolean(f"wide_{i}") for i in range(hp.Int("num_layers", 0, 20, default=2))]

    found = unfolded(build)
    assert names(found) == ["num_layers", *(f"wide_{i}" for i in range(20))]
    assert conditions(found) == {f"wide_{i}": {"num_layers": list(range(i + 1, 21))} for i in range(20)}


def test_a_threshold_within_a_long_range_is_found():
    def build(hp):
        width = hp.Int("width", 16, 1600, step=16)
        return width, width > 700 and hp.Boolean("bottleneck")

    assert conditions(unfolded(build)) == {"bottleneck": {"width": list(range(704, 1601, 16))}}


def test_branches_within_branches_have_the_condition_of_each():
    def build(hp):
        if hp.Choice("kind", ["mlp", "cnn"]) == "mlp":
            return hp.Int("units", 1, 3)
        return [hp.Int(f"filters_{i}", 1, 3) for i in range(hp.Int("blocks", 1, 2))]

    found = unfolded(build)
    assert conditions(found) == {
        "units": {"kind": ["mlp"]},
        "blocks": {"kind": ["cnn"]},
        "filters_0": {"kind": ["cnn"]},
        "filters_1": {"blocks": [2]},
    }
    assert size(found) == 3 + 3 + 9


def test_two_conditions_at_once_are_both_found():
    def build(hp):
        both = hp.Boolean("a", default=True) and hp.Choice("b", [1, 2, 3]) == 3
        return hp.get("a"), both and hp.Int("extra", 0, 1)

    found = unfolded(build)
    assert conditions(found)["extra"] == {"b": [3]} or conditions(found)["extra"] == {"a": [True], "b": [3]}
    assert conditions(found)["b"] == {"a": [True]}
    assert size(found) == 1 + 2 + 2


def test_a_hyperparameter_that_either_of_two_values_brings_has_no_condition():
    def build(hp):
        first, second = hp.Boolean("first"), hp.Boolean("second")
        return first, second, (first or second) and hp.Int("extra", 0, 1)

    found = unfolded(build)
    assert names(found) == ["first", "second", "extra"]
    assert conditions(found) == {}


def test_a_threshold_of_a_continuous_hyperparameter_is_no_condition():
    def build(hp):
        rate = hp.Float("rate", 0.0, 0.5)
        return rate, rate > 0.2 and hp.Boolean("spatial")

    found = unfolded(build)
    assert names(found) == ["rate", "spatial"]
    assert conditions(found) == {}


def test_scopes_of_names_and_of_conditions_that_only_some_values_enter_are_found():
    def build(hp):
        found = []
        if hp.Choice("kind", ["mlp", "cnn"]) == "cnn":
            with hp.conditional_scope("kind", ["cnn"]):
                for i in range(hp.Int("blocks", 1, 2)):
                    with hp.name_scope(f"block_{i}"):
                        found.append(hp.Int("filters", 1, 3))
        return found

    found = unfolded(build)
    assert names(found) == ["kind", "blocks", "block_0/filters", "block_1/filters"]
    assert conditions(found)["block_1/filters"] == {"kind": ["cnn"], "blocks": [2]}
    assert size(found) == 1 + 3 + 9


@pytest.mark.parametrize("default", [1, 3])
def test_every_configuration_builds_what_its_values_say(default):
    def build(hp):
        depth = hp.Int("depth", 1, 3, default=default)
        units = [hp.Choice(f"units_{i}", [8, 16]) for i in range(depth)]
        return depth, units, hp.Choice("pool", ["max", "mean"]) == "max" and hp.Int("stride", 1, 2)

    found = unfolded(build)
    space = kt.HyperParameters()
    space.merge(found.parameters)
    make = Builder(build)
    for values in ({"depth": 1, "pool": "mean"}, {"depth": 3, "units_2": 16}, {"depth": 2, "units_2": 16}):
        configuration = effective(space, space.values | values)
        assert make(configuration).values == {
            name: configuration.get(name, value) for name, value in make(configuration).values.items()
        }
        assert key(make(configuration).values) == key(effective(space, {**make(configuration).values}))


def test_a_second_range_under_the_same_name_is_named():
    def build(hp):
        if hp.Boolean("wide"):
            return hp.Int("units", 64, 128)
        return hp.Int("units", 8, 32)

    found = unfolded(build)
    assert found.ambiguous == ("units",)


def test_hyperparameters_that_change_nothing_are_named():
    def build(hp):
        hp.Choice("unused", [1, 2, 3])
        deep = hp.Boolean("deep")
        used_sometimes = hp.Int("used_sometimes", 1, 3)
        return deep and used_sometimes, hp.Choice("batch_size", [16, 32]) and None

    found = unfolded(build)
    assert found.idle == ("unused",)


def test_values_that_cannot_be_built_do_not_end_the_search_for_others():
    def build(hp):
        kernel = hp.Choice("kernel", [1, 0, 3])
        return 1 / kernel, kernel == 3 and hp.Boolean("padding")

    found = unfolded(build)
    assert conditions(found) == {"padding": {"kernel": [3]}}


def test_a_value_is_built_alone_where_its_company_cannot_be_built():
    def build(hp):
        first, second = hp.Choice("first", [1, 2]), hp.Choice("second", [1, 2])
        return 1 / (4 - first * second), first == 2 and hp.Boolean("third")

    found = unfolded(build)
    assert names(found) == ["first", "second", "third"]
    assert conditions(found) == {"third": {"first": [2]}}


def test_a_build_that_looks_at_all_values_is_unfolded_as_far_as_it_can_be():
    def build(hp):
        deep = hp.Boolean("deep")
        if "width" in hp.values and hp.get("width") == 2:
            return deep, 0
        return deep, deep and hp.Int("width", 1, 3), hp.Boolean("late") if "width" in hp.values else 0

    assert {"deep", "width", "late"} == set(names(unfolded(build)))


def test_a_bound_on_builds_or_time_leaves_values_untried_and_says_how_many():
    def build(hp):
        return [hp.Int(f"x_{i}", 0, 9) for i in range(hp.Int("n", 1, 9))]

    assert unfolded(build, max_builds=3).untried > 0
    assert unfolded(build, max_seconds=0).untried == 0
    assert names(unfolded(build, max_seconds=0)) == []


def test_a_build_that_never_ends_to_declare_new_names_stops_at_the_bound():
    numbers = count()

    def build(hp):
        return hp.Int(f"x_{next(numbers)}", 0, 9)

    builder = Builder(build)
    unfold(builder, max_builds=20)
    assert builder.built == 20
