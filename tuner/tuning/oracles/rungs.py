"""Who stands where in a bracket, and who is to go on to its next rung."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from itertools import pairwise

from tuner.results.schema import COMPLETED, FAILED, RUNNING
from tuner.tuning.plan import Bracket

# A score of which less is better, and the trial's number: of equal scores the earlier trial is the better.
_Entry = tuple[float, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a trial stands in its bracket.

    `score` is that of its last finished rung, none while it runs; `earlier` are those with which it finished
    the rungs before, from the first up.
    """

    bracket: int
    rung: int
    status: str
    score: float | None = None
    earlier: tuple[float | None, ...] = ()


@dataclass(slots=True)
class _Rung:
    """The trials of one rung, counted.

    `completed` are those that have completed it and not failed since. Of these, the ones with a score are in
    `promoted` or in `waiting`, the best first. The lists stay sorted: comparisons grow with the logarithm of
    their length, and the shift of a list of 100,000 takes 10 to 20 microseconds.
    """

    running: int = 0
    completed: int = 0
    waiting: list[_Entry] = field(default_factory=list)
    promoted: list[_Entry] = field(default_factory=list)


class Rungs(ABC):
    """The trials of one bracket. A trial that fails, in whichever rung, counts in none.

    Args:
        maximize: More of the score is better.
    """

    def __init__(self, bracket: Bracket, maximize: bool) -> None:
        self._bracket, self._sign = bracket, -1.0 if maximize else 1.0
        self._rungs = [_Rung() for _ in bracket.rungs]

    @property
    def under_way(self) -> int:
        """Number of trials that train, in all rungs."""
        return sum(rung.running for rung in self._rungs)

    def add(self, number: int, standing: Standing) -> None:
        """Count a trial where it stands."""
        self._count(number, standing, 1)

    def remove(self, number: int, standing: Standing) -> None:
        """Undo `add`."""
        self._count(number, standing, -1)

    def open_places(self, rung: int = 0) -> int:
        """Return the number of trials that a rung still has room for by the plan."""
        count = self._rungs[rung]
        return self._bracket.rungs[rung].trials - count.completed - count.running

    def next_promotion(self, exhausted: bool) -> tuple[int, int] | None:
        """Return the number of the trial that is to go on next, and the rung that it is to enter.

        Higher rungs come first. None where no trial is to go on as things stand.

        Args:
            exhausted: No new configuration will come.
        """
        for rung in range(len(self._rungs) - 1, 0, -1):
            waiting = self._rungs[rung - 1].waiting
            if waiting and self._takes(rung, exhausted):
                return waiting[0][1], rung
        return None

    def may_continue(self, number: int, standing: Standing, exhausted: bool) -> bool:
        """True while a trial trains, or may still be promoted if none of the others fails."""
        if standing.status == RUNNING:
            return True
        if standing.status != COMPLETED or standing.score is None or standing.rung == len(self._rungs) - 1:
            return False
        place = bisect_left(self._rungs[standing.rung].waiting, self._entry(number, standing.score))
        return place < self._in_reach(standing.rung, exhausted)

    @abstractmethod
    def _takes(self, rung: int, exhausted: bool) -> bool:
        """True where a rung takes the best of those that wait in the rung before."""

    @abstractmethod
    def _in_reach(self, rung: int, exhausted: bool) -> int:
        """Return the number of waiting trials of a rung that may still be promoted."""

    def _count(self, number: int, standing: Standing, by: int) -> None:
        if standing.status == FAILED:
            return
        for rung, below in enumerate(self._rungs[: standing.rung]):
            below.completed += by
            score = standing.earlier[rung] if rung < len(standing.earlier) else None
            self._list(below.promoted, number, score, by)
        here = self._rungs[standing.rung]
        if standing.status == RUNNING:
            here.running += by
        elif standing.status == COMPLETED:
            here.completed += by
            self._list(here.waiting, number, standing.score, by)

    def _list(self, entries: list[_Entry], number: int, score: float | None, by: int) -> None:
        if score is None:
            return
        entry = self._entry(number, score)
        if by > 0:
            insort(entries, entry)
        else:
            del entries[bisect_left(entries, entry)]

    def _entry(self, number: int, score: float) -> _Entry:
        return (self._sign * score, number)


class HalvingRungs(Rungs):
    """Each rung takes the best of the one before it once that is complete.

    Source: Jamieson and Talwalkar 2016, Non-stochastic Best Arm Identification, algorithm 1.
    """

    def _takes(self, rung: int, exhausted: bool) -> bool:
        return self.open_places(rung) > 0 and self._settled(rung - 1, exhausted)

    def _settled(self, rung: int, exhausted: bool) -> bool:
        """True where a rung is complete, or nothing is left that could fill it."""
        if self._rungs[rung].running:
            return False
        if self.open_places(rung) <= 0:
            return True
        if rung == 0:
            return exhausted
        return not self._rungs[rung - 1].waiting and self._settled(rung - 1, exhausted)

    def _in_reach(self, rung: int, exhausted: bool) -> int:  # noqa: ARG002
        return self.open_places(rung + 1)


class AsynchronousRungs(Rungs):
    """A trial goes on as soon as it is among the best 1/factor of those that have completed its rung.

    Nothing waits for a rung to fill. A trial promoted early may turn out not to be among the best; so a rung
    may come to hold more trials than the plan says, but no fewer.

    Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, algorithm 2.
    """

    def __init__(self, bracket: Bracket, maximize: bool, factor: int) -> None:
        super().__init__(bracket, maximize)
        self._factor = factor
        self._reach: dict[bool, list[int]] = {}  # by `exhausted`, until something changes

    def _takes(self, rung: int, exhausted: bool) -> bool:  # noqa: ARG002
        below = self._rungs[rung - 1]
        # Where the best that waits ranks: only promoted ones can be better.
        return bisect_left(below.promoted, below.waiting[0]) < below.completed // self._factor

    def _in_reach(self, rung: int, exhausted: bool) -> int:
        if exhausted not in self._reach:
            self._reach[exhausted] = self._all_in_reach(exhausted)
        return self._reach[exhausted][rung]

    def _all_in_reach(self, exhausted: bool) -> list[int]:
        """For each rung but the top: those ranked below 1/factor of all that it can ever hold.

        A rung can come to hold those that were promoted into it, those that wait below and are in reach, and
        all that have yet to complete the rung below.
        """
        first = self._rungs[0]
        most = first.completed + first.running + (0 if exhausted else max(0, self.open_places()))
        found = []
        for rung, above in pairwise(self._rungs):
            found.append(_ranked_below(most // self._factor, rung))
            most = above.completed + above.running + found[-1] + most - rung.completed
        return found

    def _count(self, number: int, standing: Standing, by: int) -> None:
        self._reach.clear()
        super()._count(number, standing, by)


def _ranked_below(limit: int, rung: _Rung) -> int:
    """Return the number of waiting trials that rank below a limit among all that completed the rung."""

    def rank(place: int) -> int:
        return place + bisect_left(rung.promoted, rung.waiting[place])

    return bisect_left(range(len(rung.waiting)), limit, key=rank)


def make_rungs(bracket: Bracket, maximize: bool) -> Rungs:
    """Return the rungs of a bracket, empty, that promote by its rule."""
    if bracket.factor is None:
        return HalvingRungs(bracket, maximize)
    return AsynchronousRungs(bracket, maximize, bracket.factor)
