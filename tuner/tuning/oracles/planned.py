"""The Oracle that walks a plan: proposes new trials, promotes the best of each rung, and stops."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from heapq import heappop, heappush
from itertools import chain
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.trial import Trial
from keras_tuner.engine.trial import TrialStatus as Status

from tuner.objective import Objective
from tuner.spaces.configurations import (
    Values,
    declared_space,
    draw,
    effective,
    enumerate_space,
    key,
    space_size,
)
from tuner.training.seeds import derive_seed
from tuner.tuning.oracles.rungs import Standing, make_rungs
from tuner.tuning.plan import Plan

MAX_COLLISIONS = 100
# Largest space that is listed in order to find its untried configurations.
MAX_LISTED = 100_000


class PlannedOracle(kt.Oracle):  # type: ignore[misc]
    """Keras Tuner's Oracle with a budget that holds.

    `max_trials` distinct configurations are laid over the brackets of the plan. A promotion hands out the
    same trial again, with `tuner/epochs` raised; who is promoted, and when, is up to the bracket. A rung asks
    for its number of *completed* trials: one that fails, in whichever rung, counts in none. A new
    configuration takes its place in the first rung, and the next best of the rung before in each further one.

    Nothing is saved here. Proposals depend on the seed, the trial's number and the trials before it, so
    `restore` rebuilds the whole state from the trials on record.

    Args:
        initial: Configurations to try first, in this order.
        trained: Takes the values of a configuration to those that its training depends on, by which two of
            them are the same.
    """

    hyperparameters: kt.HyperParameters

    def __init__(
        self,
        objective: Objective,
        plan: Plan,
        hyperparameters: kt.HyperParameters,
        seed: int,
        initial: Sequence[Values] = (),
        trained: Callable[[Values], Values] = dict,
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
        self._trained = trained
        self._standings: dict[str, Standing] = {}
        maximize = objective.direction == "max"
        self._brackets = [make_rungs(bracket, maximize) for bracket in plan.brackets]
        # Brackets that may have something to do, as a heap; the others wait for trials of their own.
        self._open = list(range(len(plan.brackets)))
        self._waiting: set[int] = set()
        self._tried: set[str] = set()
        self._untried: list[Values] | None = None
        self._proposed: tuple[int, Values | None] = (0, None)

    def samples(self, number: int) -> Iterator[Values]:  # noqa: ARG002
        """Yield the algorithm's proposals for trial `number`, from 1; after them, chance takes over.

        Random search has none. Chance draws each active hyperparameter from its own distribution.
        """
        return iter(())

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
            trial = self.ongoing_trials[tuner_id] = self.trials[trial_id]
            trial.status = Status.RUNNING
            trial.hyperparameters.values = self._values(trial_id, self._standings[trial_id].rung)
            return trial
        status = Status.IDLE if self.ongoing_trials else Status.STOPPED
        return Trial(self._space_with({}), trial_id="", status=status)

    def peek(self) -> tuple[str, Values] | None:
        """Return the id and the values, as `create_trial` has them, of the trial that may come next.

        None where that hangs on trials under way. One that fails or runs out of memory comes before it all
        the same. A new configuration is settled by this, without their scores, as beside other workers.
        """
        if self._retry_queue:
            trial_id = self._retry_queue[0]
            return trial_id, self._values(trial_id, self._standings[trial_id].rung)
        for index in sorted(self._open):
            rungs = self._brackets[index]
            if promotion := rungs.next_promotion(self.exhausted):
                trial_id = _trial_id(promotion[0])
                return trial_id, self._values(trial_id, promotion[1])
            if rungs.open_places() > 0:
                new = self._distinct()
                return new and (new[0], self._in_rung(new[1], index, 0))
            if rungs.under_way:
                return None
        return None

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
            self._set(trial_id, replace(standing, status=Status.RUNNING, score=None))
            self._retry_queue.append(trial_id)

    def restore(self, trial_id: str, values: Values, standing: Standing) -> None:
        """Add a trial on record; call once for each, in the order of their numbers.

        One that was RUNNING is handed out again before anything else is, in its rung.
        """
        self._add(trial_id, values, standing)
        if standing.status == Status.RUNNING:
            self.retry(trial_id)

    def extend(self, trial_id: str, space: Sequence[dict[str, Any]], values: Values) -> None:
        """Add hyperparameters that the build of a trial declared, as Keras Tuner's `update_space` does.

        One that is known was thought to be inactive there: from now on it has the conditions of its code
        alone. Proposals that were settled before stay.

        Args:
            space: They, as in `HyperParameters.get_config()["space"]`.
            values: The values that the trial has of them.
        """
        added = declared_space({"space": list(space), "values": {}}).space
        names = {parameter.name for parameter in added}
        whole = kt.HyperParameters()
        whole.merge([*(each for each in self.hyperparameters.space if each.name not in names), *added])
        self.hyperparameters = whole
        self.trials[trial_id].hyperparameters.values |= values
        self._tried = {self._key(self._own_values(each)) for each in self.trials}
        self._untried = None
        for name in list(vars(self)):
            if isinstance(getattr(type(self), name, None), cached_property):  # it depends on the space
                delattr(self, name)

    @property
    def settled(self) -> tuple[int, Values] | None:
        """Number and values of the next new configuration, where `peek` has settled it."""
        number, values = self._proposed
        return (number, values) if values is not None and number > len(self.trials) else None

    def settle(self, number: int, values: Values) -> None:
        """Restore what `settled` was, after all trials on record."""
        self._proposed = number, values

    def may_continue(self, trial_id: str) -> bool:
        """True while the trial trains, or may still be promoted as things stand."""
        standing = self._standings[trial_id]
        rungs = self._brackets[standing.bracket]
        return rungs.may_continue(int(trial_id), standing, self.exhausted)

    def _next(self) -> str | None:
        while self._open:
            exhausted = self.exhausted
            trial_id = self._next_of(self._open[0])
            if trial_id is not None:
                return trial_id
            if self.exhausted == exhausted:
                self._waiting.add(heappop(self._open))
            else:  # later rungs need no longer wait for the first to fill
                self._open, self._waiting = list(range(len(self._brackets))), set()
        return None

    def _next_of(self, index: int) -> str | None:
        """A promotion within a bracket, else a new configuration, where it has room for one."""
        rungs = self._brackets[index]
        promotion = rungs.next_promotion(self.exhausted)
        if promotion is None:
            return self._propose(index) if rungs.open_places() > 0 else None
        number, rung = promotion
        trial_id = _trial_id(number)
        before = self._standings[trial_id]
        self._set(trial_id, Standing(index, rung, Status.RUNNING, earlier=(*before.earlier, before.score)))
        return trial_id

    def _propose(self, index: int) -> str | None:
        proposal = self._distinct()
        if proposal is None:
            self.exhausted = True
            return None
        trial_id, values = proposal
        self._add(trial_id, values, Standing(index, 0, Status.RUNNING))
        return trial_id

    def _distinct(self) -> tuple[str, Values] | None:
        """Return id and values of the next new trial; None where no untried configuration is left."""
        if self.exhausted:
            return None
        number = len(self.trials) + 1
        if self._proposed[0] != number:  # else it was settled before
            proposals = chain(self._initial, self.candidates(number))
            each = (effective(self.hyperparameters, proposal) for proposal in proposals)
            new = next((values for values in each if self._key(values) not in self._tried), None)
            self._proposed = number, new
        values = self._proposed[1]
        return None if values is None else (_trial_id(number), values)

    def _list_untried(self) -> list[Values]:
        """Return untried configurations in the order of the space; none if it is too large to list."""
        if self._untried is None:
            size = space_size(self.hyperparameters)
            listed = size is not None and size <= MAX_LISTED
            self._untried = list(enumerate_space(self.hyperparameters)) if listed else []
        self._untried = [values for values in self._untried if self._key(values) not in self._tried]
        return self._untried

    def _add(self, trial_id: str, values: Values, standing: Standing) -> None:
        self.trials[trial_id] = Trial(self._space_with(values), trial_id=trial_id, status=standing.status)
        self._tried.add(self._key(values))
        self._set(trial_id, standing)

    def _key(self, values: Values) -> str:
        return key(self._trained(values))

    def _set(self, trial_id: str, standing: Standing) -> None:
        """Change where a trial stands, and with it the counts of the rungs."""
        number, before = int(trial_id), self._standings.get(trial_id)
        if before is not None:
            self._brackets[before.bracket].remove(number, before)
        self._standings[trial_id] = standing
        self._brackets[standing.bracket].add(number, standing)
        if standing.bracket in self._waiting:
            self._waiting.remove(standing.bracket)
            heappush(self._open, standing.bracket)

    def _release(self, trial_id: str) -> None:
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == trial_id:
                del self.ongoing_trials[tuner_id]

    def _space_with(self, values: Values) -> kt.HyperParameters:
        # A deep copy for each trial is what most of the time of a proposal would go into.
        hp = copy.copy(self.hyperparameters)
        hp.values = dict(values)
        return hp

    def _own_values(self, trial_id: str) -> Values:
        """Return the values of a trial without those that say its rung."""
        values = self.trials[trial_id].hyperparameters.values
        return {name: value for name, value in values.items() if not name.startswith("tuner/")}

    def _values(self, trial_id: str, rung: int) -> Values:
        """Return the values of a trial in a rung of its bracket."""
        values = self.trials[trial_id].hyperparameters.values
        return self._in_rung(values, self._standings[trial_id].bracket, rung)

    def _in_rung(self, values: Values, bracket: int, rung: int) -> Values:
        """Return values with those that Keras Tuner's Hyperband adds in this rung."""
        rungs = self.plan.brackets[bracket].rungs
        return values | {
            "tuner/epochs": rungs[rung].epochs,
            "tuner/initial_epoch": rungs[rung - 1].epochs if rung else 0,
            "tuner/bracket": bracket,
            "tuner/round": rung,
        }


def _trial_id(number: int) -> str:
    return f"{number:04d}"
