"""The whole space of a build function, with the hyperparameters that it declares only for some values.

Keras Tuner learns of such a hyperparameter when a trial meets it (`Oracle.update_space`), and Hyperband never
varies it in the trials before. Here the space is built with other values until nothing new appears.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from keras_tuner.src.engine.conditions import Parent  # it has no public name

from tuner.spaces.configurations import (
    Values,
    all_values,
    is_active,
    is_continuous,
    key,
    required_values,
    tried_values,
)
from tuner.training.recipe import TRAINING_IN_BUILD

MAX_BUILDS = 200
MAX_SECONDS = 15.0
CONTEXTS = 3
"""Number of builds beside whose values a hyperparameter has to change nothing, to be called idle."""


@dataclass(frozen=True)
class Build:
    """One build: the hyperparameters it declared, in order, the values of the active ones, and its model."""

    parameters: tuple[Any, ...]
    values: Values
    fingerprint: str


MakeBuild = Callable[[Values], Build | None]
"""Builds with these values, and defaults for all others; None where these values cannot be built."""


@dataclass(frozen=True)
class Unfolded:
    """A space with all hyperparameters that were found."""

    parameters: tuple[Any, ...]
    """In an order in which parents come first. Those that the code declares under a condition of its own have
    that condition."""
    late: tuple[str, ...] = ()
    """Names of hyperparameters that the default build does not declare."""
    ambiguous: tuple[str, ...] = ()
    """Names that other builds declare with another range, of which only the first counts."""
    idle: tuple[str, ...] = ()
    """Names of hyperparameters that change nothing in the model, as far as values were tried."""
    unreached: tuple[str, ...] = ()
    """Names of hyperparameters that no build has used."""
    untried: int = 0
    """Number of values that were not built within the bounds."""


def unfold(build: MakeBuild, max_builds: int = MAX_BUILDS, max_seconds: float = MAX_SECONDS) -> Unfolded:
    """Build a space with all its values, or with some of each long range, until no hyperparameter is new.

    A hyperparameter that only some builds declare gets the conditions under which they do, if values of
    single earlier hyperparameters explain all builds. Otherwise it has none: it is drawn where it may have no
    effect, and never left at its default in silence.

    Args:
        max_builds: Number of builds, 1 or more.
        max_seconds: Time after which no build starts.
    """
    unfolding = _Unfolding(build, max_builds, time.monotonic() + max_seconds)
    try:
        unfolding.discover()
        unfolding.explain()
        unfolding.find_idle()
    except _OutOfBoundsError:
        pass
    return unfolding.result()


class _OutOfBoundsError(Exception):
    pass


@dataclass
class _Unfolding:
    make: MakeBuild
    max_builds: int
    end: float
    parameters: list[Any] = field(default_factory=list)
    builds: list[Build] = field(default_factory=list)
    waiting: dict[str, list[Any]] = field(default_factory=dict)
    """Values to try by name."""
    conditions: dict[str, list[Parent]] = field(default_factory=dict)
    """Conditions that the builds show, by name."""
    known: dict[str, Build | None] = field(default_factory=dict)
    ambiguous: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)

    def discover(self) -> None:
        """Build until each value of each hyperparameter was in a build."""
        self.build({})
        while waiting := [name for name, values in self.waiting.items() if values]:
            name = min(waiting, key=self._position)
            value = self.waiting[name][0]
            values, others = self._with(name, value)
            if values and self.build(values | others) is None:
                self.build(values)
            if value in self.waiting[name]:  # it could not be built, or not be reached
                self.waiting[name].remove(value)

    def explain(self) -> None:
        """Find the conditions of hyperparameters that only some builds declare."""
        for name in [parameter.name for parameter in self.parameters]:
            while (unexplained := self._unexplained(name)) and self._narrow(name, unexplained):
                pass
            if unexplained or self._contradicted(name):
                self.conditions.pop(name, None)

    def find_idle(self) -> None:
        """Find the hyperparameters whose values give the same model, beside several values of the others."""
        for parameter in self.parameters:
            name = parameter.name
            having = [build for build in self.builds if name in build.values]
            values = tried_values(parameter)
            if not having or len(values) < 2 or name in (*self.idle, *TRAINING_IN_BUILD):
                continue
            if not any(
                self._changes(build, name, values) for build in [having[0], *having[:0:-1]][:CONTEXTS]
            ):
                self.idle.append(name)

    def _changes(self, build: Build, name: str, values: Sequence[Any]) -> bool:
        """True if another value gives another model than this build. A model that cannot be built is one."""
        same = [each for each in self.builds if each.values == build.values | {name: each.values.get(name)}]
        if any(each.fingerprint != build.fingerprint for each in same):
            return True
        others = (self.build(build.values | {name: each}) for each in values if each != build.values[name])
        return any(other is None or other.fingerprint != build.fingerprint for other in others)

    def result(self) -> Unfolded:
        declared = {parameter.name for parameter in self.builds[0].parameters} if self.builds else set()
        names = dict.fromkeys(parameter.name for parameter in self.parameters)
        return Unfolded(
            tuple(self._conditioned(parameter) for parameter in self.parameters),
            late=tuple(name for name in names if name not in declared),
            ambiguous=tuple(dict.fromkeys(self.ambiguous)),
            idle=tuple(self.idle),
            unreached=tuple(name for name in names if all(name not in each.values for each in self.builds)),
            untried=sum(map(len, self.waiting.values())),
        )

    def build(self, values: Values) -> Build | None:
        """Return the build with these values, made once.

        Raises:
            _OutOfBoundsError: it would be one too many.
        """
        name = key(values)
        if name not in self.known:
            if len(self.known) >= self.max_builds or time.monotonic() > self.end:
                raise _OutOfBoundsError
            found = self.known[name] = self.make(values)
            if found is not None:
                self.builds.append(found)
                self._learn(found)
        return self.known[name]

    def _learn(self, build: Build) -> None:
        """Add what is new in a build, each hyperparameter behind the one that it was declared after."""
        position = 0
        for parameter in build.parameters:
            same = [each for each in self.parameters if each.name == parameter.name]
            alike = next((each for each in same if each.conditions == parameter.conditions), None)
            if alike is None:
                self.parameters.insert(position, parameter)
                position += 1
                self.waiting.setdefault(parameter.name, []).extend(tried_values(parameter))
                continue
            position = max(position, self.parameters.index(alike) + 1)
            if alike.get_config() != parameter.get_config():
                self.ambiguous.append(parameter.name)
        for name, value in build.values.items():
            if value in self.waiting.get(name, ()):
                self.waiting[name].remove(value)

    def _with(self, name: str, value: Any) -> tuple[Values, Values]:
        """Return values that give a hyperparameter this value, if any do, and waiting values of later ones.

        What a build declares before a hyperparameter decides whether it is declared; what comes after does
        not.
        """
        position = self._position(name)
        before = next((build.values for build in self.builds if name in build.values), None)
        values = {} if before is None else dict(before)
        if before is None:  # declared under a condition that has not held yet
            required = required_values(self.parameters, self.parameters[position])
            if not all(required.values()):
                return {}, {}
            values = {parent: allowed[0] for parent, allowed in required.items()}
        later = {parameter.name for parameter in self.parameters[position + 1 :]} - {name}
        chosen = {other: self.waiting[other][0] for other in later if self.waiting[other]}
        return {**values, name: value}, chosen

    def _unexplained(self, name: str) -> Build | None:
        """Return a build without a hyperparameter whose conditions hold in it."""
        return next(
            (build for build in self.builds if not _declares(build, name) and self._expects(build, name)),
            None,
        )

    def _contradicted(self, name: str) -> bool:
        """True if a build has a hyperparameter whose conditions do not hold in it."""
        return any(name in build.values and not self._expects(build, name) for build in self.builds)

    def _expects(self, build: Build, name: str) -> bool:
        return any(
            is_active(self._conditioned(parameter), build.values)
            for parameter in self.parameters
            if parameter.name == name
        )

    def _narrow(self, name: str, without: Build) -> bool:
        """Find the earlier hyperparameter whose value takes `name` away, and add its condition.

        Walks from a build with `name` to one without it, a value at a time. Returns False if no single step
        takes it away.
        """
        having = [build for build in self.builds if name in build.values]
        if not having:
            return False
        values = start = max(having, key=lambda build: len(build.values)).values
        parents = [condition.name for each in self.conditions.values() for condition in each]
        earlier = [each.name for each in self.parameters[: self._position(name)]]
        for parent in dict.fromkeys([*(each for each in parents if each in earlier), *earlier]):
            if parent not in without.values or values.get(parent) in (None, without.values[parent]):
                continue
            changed = values | {parent: without.values[parent]}
            found = self.build(changed)
            if found is None:
                continue
            if name not in found.values:
                # Where another value would do as well, this build contradicts the condition.
                self.build(start | {parent: without.values[parent]})
                return self._add_condition(name, parent, values)
            values = changed
        return False

    def _add_condition(self, name: str, parent: str, values: Values) -> bool:
        """Add the condition that `parent` has one of the values with which `name` is declared."""
        parameter = next(each for each in self.parameters if each.name == parent)
        if is_continuous(parameter) or any(each.name == parent for each in self.conditions.get(name, ())):
            return False
        every = list(all_values(parameter))

        def has(index: int) -> bool:
            found = self.build(values | {parent: every[index]})
            return found is not None and name in found.values

        tried = [every.index(value) for value in tried_values(parameter)]
        active = _holding(has, tried, len(every))
        if not active:  # a build that looks at more than its values
            return False
        self.conditions.setdefault(name, []).append(Parent(parent, [every[index] for index in active]))
        return True

    def _conditioned(self, parameter: Any) -> Any:
        """Return a hyperparameter with the conditions of the code, and those that the builds show."""
        shown = self.conditions.get(parameter.name, [])
        # A condition of a parent is one of the child too.
        of_parents = [each for own in shown for each in self.conditions.get(own.name, [])]
        added = [each for each in shown if each not in of_parents and each not in parameter.conditions]
        if not added:
            return parameter
        conditioned = copy.copy(parameter)
        conditioned.conditions = [*parameter.conditions, *added]
        return conditioned

    def _position(self, name: str) -> int:
        return next(index for index, each in enumerate(self.parameters) if each.name == name)


def _holding(has: Callable[[int], bool], tried: list[int], number: int) -> list[int]:
    """Return the positions, of `number`, at which `has` holds; between tried ones it changes once at most."""
    found = {index: has(index) for index in tried}
    for low, high in pairwise(tried):
        first, last = (low, high) if found[low] != found[high] else (high, high)
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (middle, last) if has(middle) == found[low] else (first, middle)
        found |= dict.fromkeys(range(low, first + 1), found[low])
        found |= dict.fromkeys(range(last, high + 1), found[high])
    return [index for index in range(number) if found.get(index)]


def _declares(build: Build, name: str) -> bool:
    return any(parameter.name == name for parameter in build.parameters)
