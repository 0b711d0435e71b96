"""The Oracle that walks a plan: proposes new trials, promotes the best of each rung, and stops."""

from __future__ import annotations

import copy
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import keras_tuner as kt
from keras_tuner.engine import trial as trial_module

from tuner.search.configurations import Values, draw, effective, enumerate_space, key, space_size
from tuner.search.plan import Plan
from tuner.training.seeds import derive_seed
from tuner.training.task import Objective

Status = trial_module.TrialStatus

MAX_COLLISIONS = 100
# A space is listed to find what is left of it only if it is no larger than this.
MAX_LISTED = 100_000


@dataclass(frozen=True)
class Standing:
    """Where a trial stands in its bracket. `score` is that of its last finished rung, none while it runs."""

    bracket: int
    rung: int
    status: str
    score: float | None = None


@dataclass
class _RungCount:
    """The trials of one rung, counted.

    `completed` holds those that have completed it and not failed since, promoted ones among them; `waiting`
    those not promoted from it, the best first, as a score of which less is better and the trial's number.
    """

    running: int = 0
    completed: int = 0
    waiting: list[tuple[float, int]] = field(default_factory=list)


class PlannedOracle(kt.Oracle):  # type: ignore[misc]
    """Keras Tuner's Oracle with a budget that holds.

    `max_trials` distinct configurations are laid over the brackets of the plan. A promotion hands out the
    same trial again, with `tuner/epochs` raised. A rung asks for its number of *completed* trials: one that
    fails, in whichever rung, counts in none. A new configuration takes its place in the first rung, and the
    next best of the rung before in each further one.

    Nothing is saved here. Proposals depend on the seed, the trial's number and the trials before it, so
    `restore` rebuilds the whole state from the trials on record.

    Args:
        initial: Configurations to try first, in this order.
    """

    def __init__(
        self,
        objective: Objective,
        plan: Plan,
        hyperparameters: kt.HyperParameters,
        seed: int,
        initial: Sequence[Values] = (),
    ) -> None:
        super().__init__(
            objective=kt.Objective(objective.name, objective.direction),
            max_trials=plan.trials,
            hyperparameters=hyperparameters,
            seed=seed + 1,  # Keras Tuner takes 0 for "no seed"
        )
        self.verbose = 0
        self.plan = plan
        self.exhausted = False
        self._initial = iter(initial)
        self._standings: dict[str, Standing] = {}
        self._counts = [[_RungCount() for _ in bracket.rungs] for bracket in plan.brackets]
        self._tried: set[str] = set()
        self._untried: list[Values] | None = None
        self._first_open = 0  # no bracket before this one has anything left to do

    def samples(self, number: int) -> Iterator[Values]:
        """Yield the algorithm's proposals for trial `number`, from 1; after them, chance takes over."""
        raise NotImplementedError

    def candidates(self, number: int) -> Iterator[Values]:
        """Yield values for trial `number` until one is new; no more of them means that none is left."""
        yield from self.samples(number)
        for attempt in range(MAX_COLLISIONS):
            yield draw(self.hyperparameters, derive_seed(self.seed, "sample", number, attempt))
        untried = self._list_untried()
        if untried:
            yield untried[derive_seed(self.seed, number) % len(untried)]

    def create_trial(self, tuner_id: str) -> Any:
        """Return the trial to train next.

        Its status is RUNNING; or IDLE, where a rung waits for trials under way; or STOPPED, at the end.
        Its values hold `tuner/epochs`, `tuner/initial_epoch`, `tuner/bracket` and `tuner/round` (the rung).
        """
        trial_id = self._retry_queue.pop(0) if self._retry_queue else self._next()
        if trial_id is not None:
            trial = self.ongoing_trials[tuner_id] = self._hand_out(trial_id)
            return trial
        status = Status.IDLE if self.ongoing_trials else Status.STOPPED
        return trial_module.Trial(self._space_with({}), trial_id="", status=status)

    def end_trial(self, trial: Any) -> None:
        """Take note of a finished rung: `trial.status` COMPLETED with a score, or FAILED."""
        score = trial.score if trial.status == Status.COMPLETED else None
        self._set(trial.trial_id, replace(self._standings[trial.trial_id], status=trial.status, score=score))
        self._release(trial.trial_id)

    def retry(self, trial_id: str) -> None:
        """Hand out a trial that runs or has failed again, in its rung, before any other."""
        self._release(trial_id)
        if trial_id not in self._retry_queue:
            standing = self._standings[trial_id]
            self._first_open = min(self._first_open, standing.bracket)
            self._set(trial_id, replace(standing, status=Status.RUNNING, score=None))
            self._retry_queue.append(trial_id)

    def restore(self, trial_id: str, values: Values, standing: Standing) -> None:
        """Add a trial on record; call once for each, in the order of their numbers.

        One that was RUNNING is handed out again before anything else is, in its rung.
        """
        self._add(trial_id, values, standing)
        if standing.status == Status.RUNNING:
            self.retry(trial_id)

    def may_continue(self, trial_id: str) -> bool:
        """True while the trial trains, or is among those that the next rung would take as things stand."""
        standing = self._standings[trial_id]
        if standing.status == Status.RUNNING:
            return True
        above = standing.rung + 1
        if standing.score is None or above == len(self.plan.brackets[standing.bracket].rungs):
            return False
        waiting = self._counts[standing.bracket][standing.rung].waiting
        place = bisect_left(waiting, self._rank(trial_id, standing.score))
        return place < self._open_places(standing.bracket, above)

    def _next(self) -> str | None:
        brackets = self.plan.brackets
        while self._first_open < len(brackets) and self._is_over(self._first_open):
            self._first_open += 1
        for index in range(self._first_open, len(brackets)):
            bracket = brackets[index]
            for rung in reversed(range(len(bracket.rungs))):
                if self._open_places(index, rung) <= 0:
                    continue
                exhausted = self.exhausted
                trial_id = self._promote(index, rung) if rung else self._propose(index)
                if trial_id is not None:
                    return trial_id
                if self.exhausted and not exhausted:
                    return self._next()  # later rungs need no longer wait for the first to fill
        return None

    def _is_over(self, index: int) -> bool:
        return self._settled(index, len(self.plan.brackets[index].rungs) - 1)

    def _open_places(self, index: int, rung: int) -> int:
        count = self._counts[index][rung]
        return self.plan.brackets[index].rungs[rung].trials - count.completed - count.running

    def _settled(self, index: int, rung: int) -> bool:
        """True where a rung is complete, or nothing is left that could fill it."""
        if self._counts[index][rung].running:
            return False
        if self._open_places(index, rung) <= 0:
            return True
        if rung == 0:
            return self.exhausted
        return self._settled(index, rung - 1) and not self._counts[index][rung - 1].waiting

    def _promote(self, index: int, rung: int) -> str | None:
        """The best trial that waits in the rung below, once that rung is settled."""
        waiting = self._counts[index][rung - 1].waiting
        if not waiting or not self._settled(index, rung - 1):
            return None
        trial_id = _trial_id(waiting[0][1])
        self._set(trial_id, Standing(index, rung, Status.RUNNING))
        return trial_id

    def _propose(self, index: int) -> str | None:
        if self.exhausted:
            return None
        number = len(self.trials) + 1
        values = self._distinct(number)
        if values is None:
            self.exhausted = True
            return None
        self._add(_trial_id(number), values, Standing(index, 0, Status.RUNNING))
        return _trial_id(number)

    def _distinct(self, number: int) -> Values | None:
        """Values of a configuration not yet tried, None where there is none left."""
        for candidate in chain(self._initial, self.candidates(number)):
            values = effective(self.hyperparameters, candidate)
            if key(values) not in self._tried:
                return values
        return None

    def _list_untried(self) -> list[Values]:
        """What is left of the space, in its order; nothing where it is too large to list."""
        if self._untried is None:
            size = space_size(self.hyperparameters)
            listed = size is not None and size <= MAX_LISTED
            self._untried = list(enumerate_space(self.hyperparameters)) if listed else []
        self._untried = [values for values in self._untried if key(values) not in self._tried]
        return self._untried

    def _add(self, trial_id: str, values: Values, standing: Standing) -> None:
        self.trials[trial_id] = trial_module.Trial(
            self._space_with(values), trial_id=trial_id, status=standing.status
        )
        self._tried.add(key(values))
        self._set(trial_id, standing)

    def _set(self, trial_id: str, standing: Standing) -> None:
        """Change where a trial stands, and with it the counts of the rungs."""
        before = self._standings.get(trial_id)
        if before is not None:
            self._count(trial_id, before, -1)
        self._standings[trial_id] = standing
        self._count(trial_id, standing, 1)

    def _count(self, trial_id: str, standing: Standing, by: int) -> None:
        if standing.status == Status.FAILED:
            return
        counts = self._counts[standing.bracket]
        for below in counts[: standing.rung]:
            below.completed += by
        here = counts[standing.rung]
        if standing.status == Status.RUNNING:
            here.running += by
        elif standing.status == Status.COMPLETED:
            here.completed += by
            if standing.score is not None:
                rank = self._rank(trial_id, standing.score)
                if by > 0:
                    insort(here.waiting, rank)
                else:
                    del here.waiting[bisect_left(here.waiting, rank)]

    def _rank(self, trial_id: str, score: float) -> tuple[float, int]:
        return (-score if self.objective.direction == "max" else score, int(trial_id))

    def _release(self, trial_id: str) -> None:
        for tuner_id, ongoing in list(self.ongoing_trials.items()):
            if ongoing.trial_id == trial_id:
                del self.ongoing_trials[tuner_id]

    def _space_with(self, values: Values) -> kt.HyperParameters:
        # A deep copy for each trial is what most of the time of a proposal would go into.
        hp = copy.copy(self.hyperparameters)
        hp.values = dict(values)
        return hp

    def _hand_out(self, trial_id: str) -> Any:
        trial, standing = self.trials[trial_id], self._standings[trial_id]
        rungs = self.plan.brackets[standing.bracket].rungs
        trial.status = Status.RUNNING
        trial.hyperparameters.values |= {
            "tuner/epochs": rungs[standing.rung].epochs,
            "tuner/initial_epoch": rungs[standing.rung - 1].epochs if standing.rung else 0,
            "tuner/bracket": standing.bracket,
            "tuner/round": standing.rung,
        }
        return trial


def _trial_id(number: int) -> str:
    return f"{number:04d}"
