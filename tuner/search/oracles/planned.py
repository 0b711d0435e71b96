"""The Oracle that walks a plan: proposes new trials, promotes the best of each rung, and stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras_tuner as kt
from keras_tuner.engine import trial as trial_module

from tuner.search.configurations import Values, effective, enumerate_space, key, size_at_most
from tuner.search.plan import Bracket, Plan
from tuner.training.seeds import derive_seed
from tuner.training.trial import Objective

Status = trial_module.TrialStatus

MAX_COLLISIONS = 100
# A space is listed to find what is left of it only if it is no larger than this.
MAX_LISTED = 100_000


@dataclass
class Standing:
    """Where a trial stands in its bracket. `score` is that of its last finished rung."""

    bracket: int
    rung: int
    status: str
    score: float | None = None


class PlannedOracle(kt.Oracle):  # type: ignore[misc]
    """Keras Tuner's Oracle with a budget that holds.

    `max_trials` distinct configurations are laid over the brackets of the plan. A promotion hands out the
    same trial again, with `tuner/epochs` raised. A rung asks for its number of *completed* trials: one that
    fails, in whichever rung, counts in none. A new configuration takes its place in the first rung, and the
    next best of the rung before in each further one.

    Nothing is saved here. Proposals depend on the seed, the trial's number and the trials before it, so
    `restore` rebuilds the whole state from the trials on record.
    """

    def __init__(
        self, objective: Objective, plan: Plan, hyperparameters: kt.HyperParameters, seed: int
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
        self._standings: dict[str, Standing] = {}
        self._tried: set[str] = set()

    def sample(self, number: int, attempt: int) -> Values:
        """Propose values for trial `number`, from 1; a proposal tried before asks for the next attempt."""
        raise NotImplementedError

    def create_trial(self, tuner_id: str) -> Any:
        """Return the trial to train next.

        Its status is RUNNING; or IDLE, where a rung waits for trials under way; or STOPPED, at the end.
        Its values hold `tuner/epochs`, `tuner/initial_epoch`, `tuner/bracket` and `tuner/round` (the rung).
        """
        if self._retry_queue:
            trial = self.ongoing_trials[tuner_id] = self._hand_out(self._retry_queue.pop(0))
            return trial
        trial = self._next()
        if trial is not None:
            self.ongoing_trials[tuner_id] = trial
            return trial
        status = Status.IDLE if self.ongoing_trials else Status.STOPPED
        return trial_module.Trial(self.get_space(), trial_id="", status=status)

    def end_trial(self, trial: Any) -> None:
        """Take note of a finished rung: `trial.status` COMPLETED with a score, or FAILED."""
        standing = self._standings[trial.trial_id]
        standing.status = trial.status
        standing.score = trial.score if trial.status == Status.COMPLETED else None
        for tuner_id, ongoing in list(self.ongoing_trials.items()):
            if ongoing.trial_id == trial.trial_id:
                del self.ongoing_trials[tuner_id]

    def restore(self, trial_id: str, values: Values, standing: Standing) -> None:
        """Add a trial on record; call once for each, in the order of their numbers.

        One that was RUNNING is handed out again before anything else is, in its rung.
        """
        self._add(trial_id, values, standing)
        if standing.status == Status.RUNNING:
            self._retry_queue.append(trial_id)

    def may_continue(self, trial_id: str) -> bool:
        """True while the trial trains, or is among those that the next rung would take as things stand."""
        standing = self._standings[trial_id]
        if standing.status == Status.RUNNING:
            return True
        bracket, above = self.plan.brackets[standing.bracket], standing.rung + 1
        if above == len(bracket.rungs):
            return False
        places = self._open_places(standing.bracket, bracket, above)
        return trial_id in self._waiting(standing.bracket, standing.rung)[: max(0, places)]

    def _next(self) -> Any:
        for index, bracket in enumerate(self.plan.brackets):
            for rung in reversed(range(len(bracket.rungs))):
                if self._open_places(index, bracket, rung) <= 0:
                    continue
                exhausted = self.exhausted
                trial = self._promote(index, rung) if rung else self._propose(index)
                if trial is not None:
                    return trial
                if self.exhausted and not exhausted:
                    return self._next()  # later rungs need no longer wait for the first to fill
        return None

    def _open_places(self, index: int, bracket: Bracket, rung: int) -> int:
        running = sum(
            s.bracket == index and s.rung == rung and s.status == Status.RUNNING
            for s in self._standings.values()
        )
        return int(bracket.rungs[rung].trials - self._completed(index, rung) - running)

    def _completed(self, index: int, rung: int) -> int:
        """Trials of a bracket that have completed a rung and not failed since, promoted ones among them."""
        return sum(
            s.bracket == index
            and s.status != Status.FAILED
            and (s.rung > rung or (s.rung == rung and s.status == Status.COMPLETED))
            for s in self._standings.values()
        )

    def _settled(self, index: int, rung: int) -> bool:
        """True where a rung is complete, or nothing is left that could fill it."""
        if any(
            s.bracket == index and s.rung == rung and s.status == Status.RUNNING
            for s in self._standings.values()
        ):
            return False
        if self._open_places(index, self.plan.brackets[index], rung) <= 0:
            return True
        if rung == 0:
            return self.exhausted
        return self._settled(index, rung - 1) and not self._waiting(index, rung - 1)

    def _promote(self, index: int, rung: int) -> Any:
        """The best trial that waits in the rung below, once that rung is settled."""
        if not self._settled(index, rung - 1):
            return None
        waiting = self._waiting(index, rung - 1)
        if not waiting:
            return None
        standing = self._standings[waiting[0]]
        standing.rung, standing.status = rung, Status.RUNNING
        return self._hand_out(waiting[0])

    def _waiting(self, index: int, rung: int) -> list[str]:
        """Trials that have completed a rung and were not promoted from it, the best first."""
        sign = -1 if self.objective.direction == "max" else 1
        waiting = [
            (sign * s.score, trial_id)
            for trial_id, s in self._standings.items()
            if s.bracket == index and s.rung == rung and s.status == Status.COMPLETED and s.score is not None
        ]
        return [trial_id for _, trial_id in sorted(waiting)]

    def _propose(self, index: int) -> Any:
        if self.exhausted:
            return None
        number = len(self.trials) + 1
        values = self._distinct(number)
        if values is None:
            self.exhausted = True
            return None
        trial_id = f"{number:04d}"
        self._add(trial_id, values, Standing(index, 0, Status.RUNNING))
        return self._hand_out(trial_id)

    def _distinct(self, number: int) -> Values | None:
        """Values of a configuration not yet tried, None where there is none left."""
        for attempt in range(MAX_COLLISIONS):
            values = effective(self.hyperparameters, self.sample(number, attempt))
            if key(values) not in self._tried:
                return values
        if not size_at_most(self.hyperparameters, MAX_LISTED):
            return None
        left = [v for v in enumerate_space(self.hyperparameters) if key(v) not in self._tried]
        return left[derive_seed(self.seed, number) % len(left)] if left else None

    def _add(self, trial_id: str, values: Values, standing: Standing) -> None:
        hp = self.get_space()
        hp.values = dict(values)
        self.trials[trial_id] = trial_module.Trial(hp, trial_id=trial_id, status=standing.status)
        self._standings[trial_id] = standing
        self._tried.add(key(values))

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
