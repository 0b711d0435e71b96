"""Tree-structured Parzen estimator: Optuna's sampler on the trials so far."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from tuner.spaces.configurations import Values, active_values, walk
from tuner.training.seeds import derive_seed
from tuner.tuning.oracles.model_based import Axis, Finished, ModelBasedOracle

optuna.logging.set_verbosity(optuna.logging.WARNING)


class TPEOracle(ModelBasedOracle):
    """Asks a fresh Optuna study that holds the trials on record, so that nothing but these is remembered.

    Hyperparameters are modelled together, those of a condition as a group. A trial that trains, or a proposal
    tried before, counts as a poor one and keeps others away. With Hyperband, trials that reached the last
    rung rank before all others, and these by the epochs they reached, then by score.

    Source: Bergstra et al. 2011, section 4; Falkner et al. 2018, BOHB, section 4 (joint model, epochs first);
    Optuna 5.0, `TPESampler`, whose defaults hold: 10 random trials at the start, 24 candidates.
    """

    attempts = 5

    def model_samples(self, seed: int) -> Iterator[Values]:
        study = optuna.create_study(direction="maximize" if self.objective.direction == "max" else "minimize")
        study.add_trials([self._ended(trial) for trial in self.finished()])
        study.add_trials([self._frozen(TrialState.RUNNING, values) for values in self.running()])
        for attempt in range(self.attempts):
            study.sampler = _sampler(derive_seed(seed, attempt))
            yield self._ask(study)

    def _ask(self, study: optuna.Study) -> Values:
        trial = study.ask()
        return walk(self.hyperparameters, lambda parameter: self._suggest(trial, parameter))

    def _ended(self, trial: Finished) -> FrozenTrial:
        if trial.last:
            return self._frozen(TrialState.COMPLETE, trial.values, value=trial.score)
        return self._frozen(TrialState.PRUNED, trial.values, intermediate_values={trial.epochs: trial.score})

    def _frozen(self, state: TrialState, values: Values, **result: Any) -> FrozenTrial:
        active = active_values(self.hyperparameters, values)
        return optuna.trial.create_trial(
            state=state,
            params={self._names[each]: _number(self.axes[each], value) for each, value in active},
            distributions={self._names[each]: self._distributions[each] for each, _ in active},
            **result,
        )

    def _suggest(self, trial: optuna.Trial, parameter: Any) -> Any:
        name, axis = self._names[parameter], self.axes[parameter]
        if axis.values is None:
            return axis.value(trial.suggest_float(name, 0.0, 1.0))
        if axis.numerical:
            return axis.values[trial.suggest_int(name, 0, len(axis.values) - 1)]
        return axis.values[trial.suggest_categorical(name, range(len(axis.values)))]

    @cached_property
    def _names(self) -> dict[Any, str]:
        """Positions, because two hyperparameters of different branches may have one name."""
        return {parameter: str(position) for position, parameter in enumerate(self.axes)}

    @cached_property
    def _distributions(self) -> dict[Any, BaseDistribution]:
        return {parameter: _distribution(axis) for parameter, axis in self.axes.items()}


def _sampler(seed: int) -> optuna.samplers.TPESampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def _distribution(axis: Axis) -> BaseDistribution:
    """An index for a hyperparameter of several values, ordered or not; a coordinate for a range."""
    if axis.values is None:
        return FloatDistribution(0.0, 1.0)
    if axis.numerical:
        return IntDistribution(0, len(axis.values) - 1)
    return CategoricalDistribution(range(len(axis.values)))


def _number(axis: Axis, value: Any) -> float:
    return axis.coordinate(value) if axis.values is None else axis.index(value)
