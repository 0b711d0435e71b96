"""What Oracles that learn from finished trials have in common: the trials they see, and their coordinates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.trial import TrialStatus as Status

from tuner.spaces.configurations import Values, all_values, nearest
from tuner.training.seeds import derive_seed
from tuner.tuning.oracles.planned import PlannedOracle
from tuner.tuning.oracles.rungs import Standing


@dataclass(frozen=True)
class Finished:
    """A trial that waits or has ended, with its score after `epochs` epochs; `last`: it needs no more.

    `scores` has that of each rung it finished, by its epochs.
    """

    values: Values
    score: float
    epochs: int
    last: bool
    scores: dict[int, float]


class ModelBasedOracle(PlannedOracle):
    """Proposes what a model of the finished trials expects to be good.

    Of Hyperband's configurations one in three is drawn at random all the same, as in BOHB: a hedge against
    scores that mislead after few epochs.

    Source: Falkner et al. 2018, BOHB, section 4 (rho); 1/3 is the default of its authors' HpBandSter.
    """

    random_share = 3

    @cached_property
    def axes(self) -> dict[Any, Axis]:
        """The axis of each hyperparameter, in the order of declaration."""
        return {parameter: Axis(parameter) for parameter in self.hyperparameters.space}

    @abstractmethod
    def model_samples(self, seed: int) -> Iterator[Values]:
        """Yield the model's proposals, the best first; none where the trials are too few to learn from."""

    def samples(self, number: int) -> Iterator[Values]:
        several_rungs = any(len(bracket.rungs) > 1 for bracket in self.plan.brackets)
        if not several_rungs or derive_seed(self.seed, "share", number) % self.random_share:
            yield from self.model_samples(derive_seed(self.seed, "model", number))

    def finished(self) -> list[Finished]:
        """Trials with a score, in the order of their numbers.

        One that trains, in whichever rung, is not among them: a store holds its best score so far, which an
        uninterrupted search has not seen yet at this moment.
        """
        found = []
        for values, standing in self._having(Status.COMPLETED):
            if standing.score is not None:
                rungs = self.plan.brackets[standing.bracket].rungs
                last, epochs = standing.rung == len(rungs) - 1, rungs[standing.rung].epochs
                earlier = zip(rungs[: standing.rung], standing.earlier, strict=False)
                scores = {rung.epochs: score for rung, score in earlier if score is not None}
                scores[epochs] = standing.score
                found.append(Finished(values, standing.score, epochs, last, scores))
        return found

    def running(self) -> list[Values]:
        """Values of the trials that train, in the order of their numbers."""
        return [values for values, _ in self._having(Status.RUNNING)]

    def _having(self, status: str) -> Iterator[tuple[Values, Standing]]:
        for trial_id, standing in self._standings.items():
            if standing.status == status:
                yield self.trials[trial_id].hyperparameters.values, standing


class Axis:
    """One hyperparameter as numbers: the index of its value, and a coordinate in 0..1.

    `values` is None for a range without step; its coordinate follows its sampling, such as logarithmic.
    """

    def __init__(self, parameter: Any) -> None:
        types = kt.engine.hyperparameters
        self.parameter = parameter
        self.numerical = isinstance(parameter, types.Int | types.Float)
        free = self.numerical and parameter.step is None
        self.values: Sequence[Any] | None = None if free else all_values(parameter)

    @property
    def varies(self) -> bool:
        return self.values is None or len(self.values) > 1

    def index(self, value: Any) -> int:
        """Return where a value stands; a default between two values counts as the nearer."""
        assert self.values is not None
        return nearest(self.values, value) if self.numerical else self.values.index(value)

    def coordinate(self, value: Any) -> float:
        """Return the middle of the part of 0..1 that belongs to a value."""
        if self.values is not None:
            return (self.index(value) + 0.5) / len(self.values)
        return min(1.0, max(0.0, float(self.parameter.value_to_prob(value))))

    def value(self, coordinate: float) -> Any:
        """Return the value whose part of 0..1 holds the coordinate."""
        if self.values is not None:
            return self.values[min(int(coordinate * len(self.values)), len(self.values) - 1)]
        # By rounding, or at a coordinate of 1, Keras Tuner would leave the range.
        value = self.parameter.prob_to_value(coordinate)
        return min(self.parameter.max_value, max(self.parameter.min_value, value))
