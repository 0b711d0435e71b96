"""A run as a study of Optuna: for its dashboard, and for whoever has tools for Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import optuna
import pandas as pd
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from tuner.config import make_config
from tuner.results.query import RunView, rank
from tuner.results.schema import COMPLETED, FAILED, RUN_RUNNING, RUNNING, TRIAL_COLUMNS, TrialRecord
from tuner.tuning.oracles import make_plan
from tuner.tuning.plan import Plan

# What Optuna has under names of its own.
_NOT_ATTRIBUTES = ("score", "objective")

optuna.logging.set_verbosity(optuna.logging.WARNING)


def make_study(
    run: RunView,
    epochs: pd.DataFrame,
    evaluation: Mapping[str, Any] | None,
    storage: BaseStorage,
) -> optuna.Study:
    """Put a study into a storage that holds the run as it stands, and return it.

    A trial is COMPLETE at the end of its last rung, PRUNED where it was not promoted to it, FAIL with its
    reason as the attribute `error`, and RUNNING while it trains or may still be promoted. Its value is the
    score, its intermediate values the objective by epoch; it ends when it began plus what it trained. All
    else that trials.csv tells of a trial is in its attributes, and of the one evaluated the figures on the
    test split as `test_<name>`.

    Args:
        epochs: The objective of every epoch of the run, as `timed_epochs` returns it.
        evaluation: What best/evaluation.json holds, once it is there.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=run.run_id,
        direction="maximize" if run.facts["direction"] == "max" else "minimize",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([run.facts["objective"]])
    for name in ("status", "space", "dataset", "algorithm", "device", "seed", "started_at"):
        study.set_user_attr(name, run.facts[name])
    if run.ranked:  # Optuna itself looks for the best among COMPLETE trials only
        study.set_user_attr("best_trial_id", run.ranked[0].trial_id)
        study.set_user_attr("best_score", run.ranked[0].score)
    space = _Space(run.facts["hyperparameters"]["space"])
    states = _States(run)
    values: dict[Any, dict[Any, float]] = {
        trial_id: dict(zip(each["epoch"], each["value"], strict=True))
        for trial_id, each in epochs.groupby("trial_id")
    }
    for trial in run.trials:
        tested = evaluation if evaluation and evaluation["trial_id"] == trial.trial_id else {}
        study.add_trial(
            _frozen(trial, states.of(trial), space, values.get(trial.trial_id, {}), _test_figures(tested))
        )
    return study


def _frozen(
    trial: TrialRecord,
    state: TrialState,
    space: _Space,
    intermediate_values: dict[int, float],
    figures: dict[str, Any],
) -> FrozenTrial:
    # Optuna's times are local and have no zone.
    started = datetime.fromisoformat(trial.started_at).astimezone().replace(tzinfo=None)
    facts = {name: getattr(trial, name) for name in TRIAL_COLUMNS if name not in _NOT_ATTRIBUTES}
    known = {name: value for name, value in facts.items() if value not in (None, "")}
    return FrozenTrial(
        number=-1,  # the study gives both numbers
        trial_id=-1,
        state=state,
        value=trial.score if state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
        params=trial.values,
        distributions={name: space.distribution(name, value) for name, value in trial.values.items()},
        intermediate_values=intermediate_values,
        user_attrs={**known, **trial.metrics, **figures},
        system_attrs={},
        datetime_start=started,
        datetime_complete=started + timedelta(seconds=trial.duration_s) if state.is_finished() else None,
    )


def _test_figures(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"test_{name}": value
        for name, value in evaluation.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


class _States:
    """What Optuna calls the state of each trial of a run."""

    def __init__(self, run: RunView) -> None:
        self._is_live = run.facts["status"] == RUN_RUNNING
        config = make_config(run.facts["config"])
        # A space that was exhausted had as many configurations as were tried.
        exhausted = run.facts["status"] == "space exhausted"
        self._plan = make_plan(config, len(run.trials) if exhausted else None)
        self._in_line = _in_line(run, self._plan) if self._is_live else set()

    def of(self, trial: TrialRecord) -> TrialState:
        if trial.status == FAILED:
            return TrialState.FAIL
        if trial.status == RUNNING or trial.trial_id in self._in_line:
            return TrialState.RUNNING
        if trial.status != COMPLETED:  # cut short, and not yet taken up again
            return TrialState.RUNNING if self._is_live else TrialState.PRUNED
        if trial.score is None:  # no epoch had a finite value
            return TrialState.FAIL
        return TrialState.COMPLETE if self._is_last(trial) else TrialState.PRUNED

    def _is_last(self, trial: TrialRecord) -> bool:
        brackets = self._plan.brackets
        return trial.bracket >= len(brackets) or trial.rung + 1 >= len(brackets[trial.bracket].rungs)


def _in_line(run: RunView, plan: Plan) -> set[str]:
    """Trials that the next rung of their bracket would take as things stand."""
    found: set[str] = set()
    for number, bracket in enumerate(plan.brackets):
        alive = [trial for trial in run.trials if trial.bracket == number and trial.status != FAILED]
        for rung, above in enumerate(bracket.rungs[1:]):
            places = max(0, above.trials - sum(trial.rung > rung for trial in alive))
            waiting = [trial for trial in alive if trial.rung == rung and trial.status == COMPLETED]
            found |= {trial.trial_id for trial in rank(waiting, run.facts["direction"])[:places]}
    return found


class _Space:
    """The hyperparameters of a run as it has them on record: Keras Tuner takes seconds to load."""

    def __init__(self, declared: Sequence[Mapping[str, Any]]) -> None:
        self._distributions: dict[str, list[BaseDistribution]] = {}
        for parameter in declared:
            config = parameter["config"]
            self._distributions.setdefault(config["name"], []).append(
                _distribution(parameter["class_name"], config)
            )

    def distribution(self, name: str, value: Any) -> BaseDistribution:
        """Return the first distribution of that name that has the value; alone it stands for itself."""
        for distribution in self._distributions.get(name, ()):
            if _holds(distribution, value):
                return distribution
        return CategoricalDistribution((value,))


def _distribution(kind: str, config: Mapping[str, Any]) -> BaseDistribution:
    """What Optuna calls a hyperparameter of Keras Tuner; steps are left out of a logarithmic one."""
    if kind == "Boolean":
        return CategoricalDistribution((False, True))
    if kind == "Fixed":
        return CategoricalDistribution((config["value"],))
    if kind == "Choice":
        return CategoricalDistribution(tuple(config["values"]))
    low, high, step = (config[name] for name in ("min_value", "max_value", "step"))
    # Of "log" and "reverse_log", Optuna knows one.
    logarithmic = config["sampling"] == "log" and low > 0
    if kind == "Int":
        step = 1 if logarithmic or config["sampling"] != "linear" else step or 1
        return IntDistribution(low, high - (high - low) % step, log=logarithmic, step=step)
    if step is None or config["sampling"] != "linear":
        return FloatDistribution(low, high, log=logarithmic)
    # Optuna wants bounds that are whole steps apart.
    rest = (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step))
    return FloatDistribution(low, float(Decimal(str(high)) - rest), step=step)


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if isinstance(value, str) or value is None or not distribution.low <= value <= distribution.high:
        return False
    steps = (value - distribution.low) / distribution.step if distribution.step else 0.0
    return bool(abs(steps - round(steps)) < 1e-8)
