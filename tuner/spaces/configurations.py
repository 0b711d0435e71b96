"""Configurations of a space: their active values, their identity, and their number."""

from __future__ import annotations

import copy
import json
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras_tuner as kt

Values = dict[str, Any]
_Case = frozenset[tuple[str, Any]]

MAX_COUNTED = 10_000
"""Most combinations of values that are told apart at once for later conditions while a space is counted."""
MAX_TRIED = 6
"""Number of values tried of a longer range, spread evenly from end to end."""


def declared_space(declared: dict[str, Any]) -> kt.HyperParameters:
    """Return the space that `HyperParameters.get_config()` describes.

    It works on a copy: Keras Tuner puts objects into its argument, which JSON cannot hold.
    """
    return kt.HyperParameters.from_config(copy.deepcopy(declared))


def walk(space: kt.HyperParameters, choose: Callable[[Any], Any]) -> Values:
    """Return the values that `choose` gives to the active hyperparameters, in the order of declaration.

    Earlier values decide which hyperparameters are active. Of those that share a name, the first active one
    counts.
    """
    values: Values = {}
    for parameter in space.space:
        if parameter.name not in values and is_active(parameter, values):
            values[parameter.name] = choose(parameter)
    return values


def is_active(parameter: Any, values: Values) -> bool:
    """True where the values of its parents give the hyperparameter an effect."""
    return all(condition.is_active(values) for condition in parameter.conditions)


def effective(space: kt.HyperParameters, values: Values) -> Values:
    """Return the values of active hyperparameters only; equal ones make two configurations the same."""
    found = walk(space, lambda parameter: values.get(parameter.name))
    return {name: value for name, value in found.items() if name in values}


def active_values(space: kt.HyperParameters, values: Values) -> list[tuple[Any, Any]]:
    """Return the active hyperparameters, each with its value or, where that is missing, its default."""
    found = []

    def note(parameter: Any) -> Any:
        found.append((parameter, values.get(parameter.name, parameter.default)))
        return found[-1][1]

    walk(space, note)
    return found


def constants(space: kt.HyperParameters) -> set[str]:
    """Return the names of hyperparameters that have one value wherever they are active."""
    found: dict[str, set[Any]] = {}
    for parameter in space.space:
        found.setdefault(parameter.name, set()).update(parameter.values)
    return {name for name, values in found.items() if len(values) == 1}


def draw(space: kt.HyperParameters, seed: int) -> Values:
    """Draw each active hyperparameter from its own distribution, as Keras Tuner does."""
    rng = random.Random(seed)
    return walk(space, lambda parameter: parameter.random_sample(rng.getrandbits(32)))


def key(values: Values) -> str:
    """Return a text that is equal for equal configurations."""
    return json.dumps(values, sort_keys=True, default=str)


def is_range(parameter: Any) -> bool:
    """True for an Int or a Float, which have bounds instead of single values."""
    return isinstance(parameter, kt.engine.hyperparameters.Int | kt.engine.hyperparameters.Float)


def is_continuous(parameter: Any) -> bool:
    """True for a Float without a step, which has infinitely many values."""
    return isinstance(parameter, kt.engine.hyperparameters.Float) and parameter.step is None


def all_values(parameter: Any) -> Sequence[Any]:
    """Return every value that Keras Tuner can draw, ascending or in the order of a Choice.

    A Float with a step has the values that Keras Tuner gives it. By floating-point division these may end
    one step below the upper bound: 0 to 0.5 in steps of 0.1 ends at 0.4.

    Raises:
        ValueError: the hyperparameter is continuous.
    """
    types = kt.engine.hyperparameters
    if isinstance(parameter, types.Int):
        if parameter.step is None or parameter.sampling == "linear":
            return range(parameter.min_value, parameter.max_value + 1, parameter.step or 1)
        # Keras Tuner lists these as floats and draws them as integers.
        return sorted(int(value) for value in parameter.values)
    if is_continuous(parameter):
        raise ValueError(f"'{parameter.name}' is continuous.")
    if isinstance(parameter, types.Float):
        return sorted(parameter.values)
    return list(parameter.values)


def tried_values(parameter: Any) -> Sequence[Any]:
    """Return all values of a Choice, a Boolean or a short range; of a long one some, with both ends."""
    if is_continuous(parameter):
        return [parameter.min_value, parameter.prob_to_value(0.5), parameter.max_value]
    values = all_values(parameter)
    if len(values) <= MAX_TRIED or isinstance(parameter, kt.engine.hyperparameters.Choice):
        return values
    return [values[round(i * (len(values) - 1) / (MAX_TRIED - 1))] for i in range(MAX_TRIED)]


def is_value(parameter: Any, value: Any) -> bool:
    """True for a value of the hyperparameter; a fixed one may be replaced by any value of its type."""
    if isinstance(parameter, kt.engine.hyperparameters.Fixed):
        return isinstance(value, type(parameter.value))
    if is_continuous(parameter):
        return bool(parameter.min_value <= value <= parameter.max_value)
    return value in all_values(parameter)


def required_values(parameters: Sequence[Any], target: Any) -> dict[str, Sequence[Any]]:
    """Return the values that the parents of a hyperparameter need, and their parents, for it to be active."""
    required: dict[str, Sequence[Any]] = {}
    for condition in target.conditions:
        parent = next(each for each in parameters if each.name == condition.name)
        required |= required_values(parameters, parent)
        before = required.get(condition.name, condition.values)
        required[condition.name] = [
            value for value in condition.values if value in before and is_value(parent, value)
        ]
    return required


def nearest(values: Sequence[Any], number: float) -> int:
    """Return the position of the value nearest to a number, in ascending values."""
    above = min(bisect_left(values, number), len(values) - 1)
    return above if above == 0 or values[above] - number < number - values[above - 1] else above - 1


def enumerate_space(
    space: kt.HyperParameters, values_of: Callable[[Any], Sequence[Any]] = all_values
) -> Iterator[Values]:
    """Yield every effective configuration, in the order of declaration: the last value changes fastest.

    Raises:
        ValueError: a hyperparameter has infinitely many values.
    """
    choices = [(parameter, values_of(parameter)) for parameter in space.space]
    partial: Values = {}

    def extend(position: int) -> Iterator[Values]:
        if position == len(choices):
            yield dict(partial)
            return
        parameter, values = choices[position]
        if parameter.name in partial or not is_active(parameter, partial):
            yield from extend(position + 1)
            return
        for value in values:
            partial[parameter.name] = value
            yield from extend(position + 1)
        del partial[parameter.name]

    return extend(0)


def space_size(space: kt.HyperParameters) -> int | None:
    """Return the number of effective configurations, without building each.

    None where a hyperparameter is continuous, or where conditions need more than MAX_COUNTED combinations.
    """
    if any(map(is_continuous, space.space)):
        return None
    later = _names_needed_later(space)
    # Values of the names that are needed later -> number of configurations with them.
    cases: dict[_Case, int] = {frozenset(): 1}
    for parameter, (parents, names) in zip(space.space, later, strict=True):
        needed = parents | names
        values = all_values(parameter)
        following: Counter[_Case] = Counter()
        for case, number in cases.items():
            partial = dict(case)
            if parameter.name in partial or not is_active(parameter, partial):
                following[_kept(partial, needed)] += number
            elif parameter.name not in parents:
                following[_kept({**partial, parameter.name: None}, needed)] += number * len(values)
            else:
                for value in values:
                    following[_kept({**partial, parameter.name: value}, needed)] += number
                    if len(following) > MAX_COUNTED:
                        return None
        cases = following
    return sum(cases.values())


def _names_needed_later(space: kt.HyperParameters) -> list[tuple[set[str], set[str]]]:
    """Return for each hyperparameter the parents and the names of the hyperparameters after it."""
    parents: set[str] = set()
    names: set[str] = set()
    needed = []
    for parameter in reversed(space.space):
        needed.append((set(parents), set(names)))
        parents |= {condition.name for condition in parameter.conditions}
        names.add(parameter.name)
    return needed[::-1]


def _kept(partial: Values, names: set[str]) -> _Case:
    return frozenset((name, value) for name, value in partial.items() if name in names)
