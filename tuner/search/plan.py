"""The budget before it is spent: brackets, rungs, trials, epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """So many trials reach this many epochs in total."""

    trials: int
    epochs: int


@dataclass(frozen=True)
class Bracket:
    """Trials that start together; each rung keeps the best of the one before it."""

    rungs: tuple[Rung, ...]

    @property
    def trials(self) -> int:
        return self.rungs[0].trials

    @property
    def epochs(self) -> int:
        """Epochs trained in all, at most; a promoted trial goes on from where it stood."""
        before = (0, *(rung.epochs for rung in self.rungs))
        return sum(
            rung.trials * (rung.epochs - start) for rung, start in zip(self.rungs, before, strict=False)
        )


@dataclass(frozen=True)
class Plan:
    """What a search will do if nothing fails and no trial stops by itself."""

    brackets: tuple[Bracket, ...]

    @property
    def trials(self) -> int:
        return sum(bracket.trials for bracket in self.brackets)

    @property
    def epochs(self) -> int:
        return sum(bracket.epochs for bracket in self.brackets)


def flat_plan(max_trials: int, max_epochs: int) -> Plan:
    """Every trial may train `max_epochs` epochs."""
    return Plan((Bracket((Rung(max_trials, max_epochs),)),))


def hyperband_plan(max_trials: int, max_epochs: int, factor: int) -> Plan:
    """Lay exactly `max_trials` configurations over Hyperband's brackets, none of them cut.

    The brackets of one Hyperband iteration are laid once, as a hedge against scores that mislead early;
    every configuration beyond them goes to the widest bracket, which costs the fewest epochs for each.
    Where the trials do not suffice for all brackets, the deepest are left out.

    Source: Li et al. 2018, Hyperband, algorithm 1 (bracket sizes and epochs; factor is eta, max_epochs is R)
    and section 3.6, by which the widest brackets usually serve best.
    """
    deepest = 0
    while factor ** (deepest + 1) <= max_epochs:
        deepest += 1
    sizes = [math.ceil((deepest + 1) / (s + 1) * factor**s) for s in range(deepest, -1, -1)]
    while len(sizes) > 1 and sum(sizes) > max_trials:
        sizes.pop()
    sizes[0] = max_trials - sum(sizes[1:])
    brackets = []
    for i, size in enumerate(sizes):
        steps = deepest - i
        rungs = [
            Rung(max(1, size // factor**r), max(1, round(max_epochs / factor ** (steps - r))))
            for r in range(steps + 1)
        ]
        brackets.append(Bracket(tuple(rungs)))
    return Plan(tuple(brackets))
