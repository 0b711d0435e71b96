"""The budget before it is spent: brackets, rungs, trials, epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Rung:
    """Number of trials that reach `epochs` epochs in all, and the share of the data in its own epochs."""

    trials: int
    epochs: int
    data_share: float = 1.0


@dataclass(frozen=True)
class Bracket:
    """Trials that start together; each rung keeps the best of the one before it.

    Without a factor a rung waits until the one before it is complete. With one, a trial goes on as soon as it
    is among the best 1/factor of those that have completed its rung so far. Then the rungs say how many
    trials each gets when the best come first; in any other order it gets some more, of which not all prove to
    be among the best.
    """

    rungs: tuple[Rung, ...]
    factor: int | None = None

    @property
    def trials(self) -> int:
        return self.rungs[0].trials

    @property
    def epochs(self) -> int:
        """Epochs trained in all if no trial stops by itself; a promoted trial goes on from where it stood."""
        return sum(epochs for _, epochs in self._trained)

    @property
    def passes(self) -> float:
        """These epochs as passes over all of the data."""
        return sum(rung.data_share * epochs for rung, epochs in self._trained)

    @property
    def passes_of_longest(self) -> float:
        """Passes over all of the data of a trial that reaches the last rung."""
        return sum(rung.data_share * epochs / rung.trials for rung, epochs in self._trained)

    @property
    def _trained(self) -> list[tuple[Rung, int]]:
        before = (0, *(rung.epochs for rung in self.rungs))
        return [
            (rung, rung.trials * (rung.epochs - start))
            for rung, start in zip(self.rungs, before, strict=False)
        ]


@dataclass(frozen=True)
class Plan:
    """The trials of a search if none fails and none stops by itself."""

    brackets: tuple[Bracket, ...]

    @property
    def trials(self) -> int:
        return sum(bracket.trials for bracket in self.brackets)

    @property
    def epochs(self) -> int:
        return sum(bracket.epochs for bracket in self.brackets)

    @property
    def passes(self) -> float:
        return sum(bracket.passes for bracket in self.brackets)


def flat_plan(max_trials: int, max_epochs: int) -> Plan:
    """Every trial may train `max_epochs` epochs."""
    return Plan((Bracket((Rung(max_trials, max_epochs),)),))


def hyperband_plan(max_trials: int, max_epochs: int, factor: int) -> Plan:
    """Lay exactly `max_trials` configurations over Hyperband's brackets, none of them cut.

    The narrower brackets are laid once, as a hedge against scores that mislead early. All other
    configurations go to widest brackets, which cost the fewest epochs for each: as many of them as there is
    room for, of which the last takes the rest. Small brackets let the first good model appear early, and a
    sampler that learns see fully trained models before most of its proposals. Where the trials do not suffice
    for all brackets, the narrowest are left out.

    Source: Li et al. 2018, Hyperband, algorithm 1 (bracket sizes and epochs; factor is eta, max_epochs is R)
    and section 3.6, by which the widest brackets usually serve best.
    """
    deepest = _deepest(max_epochs, factor)
    sizes = [math.ceil((deepest + 1) / (s + 1) * factor**s) for s in range(deepest, -1, -1)]
    while len(sizes) > 1 and sum(sizes) > max_trials:
        sizes.pop()
    widest, narrower = sizes[0], [(size, deepest - i) for i, size in enumerate(sizes) if i]
    left = max_trials - sum(size for size, _ in narrower)
    # Without a rung to be promoted to, a bracket is as good as several.
    count = max(1, left // widest) if deepest else 1
    laid = [(widest, deepest)] * (count - 1) + [(left - widest * (count - 1), deepest)] + narrower
    return Plan(tuple(Bracket(_rungs(size, steps, max_epochs, factor)) for size, steps in laid))


def short_plan(max_trials: int, max_epochs: int, factor: int) -> Plan:
    """Lay exactly `max_trials` configurations over brackets that begin on part of the data.

    With several brackets the first configuration, which is the default of the space unless the user names
    another, is trained to the end at once: a good model is there early, and a sampler that learns knows a
    good place from the start. All others lie in widest brackets of about twice the usual size, whose first
    rung sees 1/factor of the images. A configuration that is hopeless shows it there too. The narrower
    brackets are left out, which take a third of Hyperband's epochs for a sixth of the configurations.

    Source: Li et al. 2018, Hyperband, algorithm 1 for s = s_max, section 3.6 on wide brackets, and section
    4.2 on a share of the data as the resource.
    """
    deepest = _deepest(max_epochs, factor)
    if not deepest:
        return flat_plan(max_trials, max_epochs)
    widest = factor**deepest
    # With a bracket or two it would cost as much as it teaches.
    leads = max_trials > 2 * widest
    rest = max_trials - leads
    count = max(1, round(rest / (2 * widest)))
    sizes = [rest // count + (number < rest % count) for number in range(count)]
    laid = [_rungs(size, deepest, max_epochs, factor) for size in sizes]
    if leads:
        first, *_, last = _rungs(1, deepest, max_epochs, factor)
        laid = [(first, last), *laid]
    return Plan(tuple(Bracket((replace(first, data_share=1 / factor), *later)) for first, *later in laid))


def asha_plan(max_trials: int, max_epochs: int, factor: int) -> Plan:
    """Lay all configurations in one bracket that promotes without waiting.

    Its rungs are as many as the epochs allow, and no more than leave at least one trial for the last.

    Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, algorithm 2 (rungs; factor
    is eta, max_epochs is R) and algorithm 1 (n >= eta^s_max: some configuration is to get R).
    """
    deepest = _deepest(min(max_epochs, max_trials), factor)
    rungs = _rungs(max_trials, deepest, max_epochs, factor)
    return Plan((Bracket(rungs, factor if deepest else None),))


def _deepest(most: int, factor: int) -> int:
    """Return the number of promotions that `most` epochs or trials allow: the largest k, factor^k <= most."""
    deepest = 0
    while factor ** (deepest + 1) <= most:
        deepest += 1
    return deepest


def _rungs(size: int, steps: int, max_epochs: int, factor: int) -> tuple[Rung, ...]:
    return tuple(
        Rung(max(1, size // factor**r), max(1, round(max_epochs / factor ** (steps - r))))
        for r in range(steps + 1)
    )


def on_parts_of_the_data(plan: Plan) -> Plan:
    """Let lower rungs see part of the data instead of all of it for fewer epochs, at the same cost.

    A rung that ended after e of E epochs takes the share e / E of the data. What its trials had left to train
    they train in more, shorter epochs: as many images, in the last rung as in the first.
    """
    return Plan(tuple(replace(bracket, rungs=_shared(bracket.rungs)) for bracket in plan.brackets))


def _shared(rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    found: list[Rung] = []
    most, before, epochs = rungs[-1].epochs, 0, 0
    for rung in rungs:
        share = rung.epochs / most
        epochs += max(1, round((rung.epochs - before) / share))
        found.append(Rung(rung.trials, epochs, share))
        before = rung.epochs
    return tuple(found)
