"""Which hyperparameters moved the score of a search, and which the time of an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.analysis.comparable_trials import Observation, Observations, observe
from tuner.analysis.fanova import SAMPLE, Axis, Share, differing, mean_interval, shares, unseen_r2
from tuner.analysis.value_bins import coordinates, levels, ordered
from tuner.config import WITH_RUNGS
from tuner.results.query import RunView, common_values
from tuner.statistics.significance import ALPHA, holm, p_text

# From so many trials on, a hyperparameter that explains half of the variance between configurations comes out
# first in nine of ten simulated searches (4, 8 and 12 hyperparameters of three values, three tenths of it
# noise). With half as many, that is five to seven of ten, and noise gets as much as what explains a fifth.
MIN_TRIALS = 20
MIN_TRIALS_EACH = 3
# A share counts as told from noise where its interval begins above this, and as little where it ends below.
MIN_SHARE, LITTLE = 0.05, 0.1
SCORE, SECONDS = "score", "seconds"
TARGETS = (SCORE, SECONDS)
SEED = 0


@dataclass(frozen=True)
class Effect:
    """What a hyperparameter does to the score, or to the seconds of an epoch.

    `share` is None where the trials are too few; `p_value`, adjusted for the number of hyperparameters, also
    where earlier scores chose the configurations.
    """

    share: Share | None
    p_value: float | None

    @property
    def is_clear(self) -> bool:
        """Whether its share is too large for noise."""
        if self.share is None or self.share.low_95 <= MIN_SHARE:
            return False
        return self.p_value is None or self.p_value < ALPHA

    @property
    def is_little(self) -> bool:
        """Whether it explains little, and that is told from more."""
        return self.share is not None and self.share.high_95 <= LITTLE


@dataclass(frozen=True)
class Mean:
    """A mean over trials with its 95 % interval; of one trial there is none."""

    mean: float
    low_95: float | None
    high_95: float | None


@dataclass(frozen=True)
class Level:
    """One value of a hyperparameter, or a range, with the means of the `trials` that are compared."""

    label: str
    trials: int
    failed: int
    means: dict[str, Mean]


@dataclass(frozen=True)
class Hyperparameter:
    """One that varied; `positions` are the levels of its trials, given by their ids."""

    name: str
    trials: int
    conditional: bool
    effects: dict[str, Effect]
    levels: tuple[Level, ...]
    positions: dict[str, int]


@dataclass(frozen=True)
class Importance:
    """What a run tells of its hyperparameters, those with the largest share of the score's variance first.

    `unseen_r2` is, for each target, what a forest explains in trials that it was not fitted to; None of too
    few trials. `too_few` says why there are no shares, since trials or hyperparameters are too few; `failing`
    are sentences on values that fail often.
    """

    observations: Observations
    hyperparameters: tuple[Hyperparameter, ...]
    constant: dict[str, Any]
    unseen_r2: dict[str, float | None]
    too_few: str | None
    failing: tuple[str, ...]
    caveats: tuple[str, ...]

    def is_told(self, hyperparameter: Hyperparameter, target: str) -> bool:
        """Whether its effect is told from noise; of a forest that predicts nothing, no share is."""
        return (self.unseen_r2[target] or 0.0) > 0 and hyperparameter.effects[target].is_clear


def importance(run: RunView) -> Importance:
    """Return what each hyperparameter did, among the trials where it was active.

    Raises:
        StorageError: the store of the run is missing or damaged.
    """
    observed = observe(run)
    trials = observed.trials
    tried = _tried(observed)
    varied = [name for name, values in tried.items() if len(values) > 1]
    targets = {
        SCORE: np.array([trial.score for trial in trials]),
        # Hyperparameters multiply the work of one another; its logarithm adds them up.
        SECONDS: np.log(np.maximum([trial.seconds for trial in trials], 1e-9)),
    }
    whole = tuple(range(len(trials)))
    active = {name: tuple(i for i in whole if name in trials[i].values) for name in varied}
    axes = {rows: _axes(run, trials, varied, rows) for rows in [whole, *active.values()]}
    few, adaptive = too_few(len(trials), len(axes[whole])), _adaptive(run)
    enough = {rows: each for rows, each in axes.items() if each and not too_few(len(rows), len(each))}
    split = {name: _split(observed, name) for name in varied}
    effects: dict[str, dict[str, Effect]] = {name: {} for name in varied}
    for target, values in targets.items():
        # What varies alone has all of the variance, whatever it does.
        found = {
            rows: shares(each, values[list(rows)], SEED, [name for name in each if active[name] == rows])
            for rows, each in enough.items()
            if len(each) > 1
        }
        judged = [] if adaptive else [name for name in varied if active[name] in enough]
        p_values = _p_values({name: split[name] for name in judged}, trials, values)
        for name in varied:
            share = found.get(active[name], {}).get(name)
            effects[name][target] = Effect(share, p_values.get(name))
    hyperparameters = [
        Hyperparameter(
            name,
            len(active[name]),
            active[name] != whole,
            effects[name],
            _levels(split[name], observed),
            split[name][1],
        )
        for name in varied
    ]
    return Importance(
        observed,
        tuple(sorted(hyperparameters, key=_order)),
        common_values(list(observed.configurations.values())),
        {
            target: unseen_r2(axes[whole], values, SEED) if whole in enough else None
            for target, values in targets.items()
        },
        few or _alone(varied, effects),
        tuple(_failing(hyperparameters)),
        tuple(_caveats(run, adaptive, len(trials))),
    )


def too_few(trials: int, hyperparameters: int) -> str | None:
    """Return why so many trials do not tell hyperparameters apart, None where they may."""
    needed = max(MIN_TRIALS, MIN_TRIALS_EACH * hyperparameters)
    if trials >= needed:
        return None
    return (
        f"{trials} trial{'' if trials == 1 else 's'} are too few to tell what {hyperparameters} "
        f"hyperparameter{' does' if hyperparameters == 1 else 's do'}: it takes {needed}, "
        f"{MIN_TRIALS_EACH} for each and no fewer than {MIN_TRIALS}"
    )


def _alone(varied: Sequence[str], effects: Mapping[str, Mapping[str, Effect]]) -> str | None:
    """Return why a single hyperparameter has no share, with what else is known of it; None of several."""
    if len(varied) != 1:
        return None
    p_value = effects[varied[0]][SCORE].p_value
    known = "" if p_value is None else f", and between its values the score differs with {p_text(p_value)}"
    return f"'{varied[0]}' alone varied: there is nothing to share{known}"


def _tried(observed: Observations) -> dict[str, list[Any]]:
    """The different values of each hyperparameter, in trials that can be compared or failed."""
    configurations = observed.configurations.values()
    names = dict.fromkeys(name for values in configurations for name in values)
    return {name: ordered([each[name] for each in configurations if name in each]) for name in names}


def _axes(
    run: RunView, trials: Sequence[Observation], names: Sequence[str], rows: Sequence[int]
) -> dict[str, Axis]:
    """The hyperparameters that are active in all of these trials, and differ in them."""
    declared = run.facts["hyperparameters"]["space"]
    logarithmic = {each["config"]["name"] for each in declared if each["config"].get("sampling") == "log"}
    axes = {}
    for name in names:
        values = [trials[row].values[name] for row in rows if name in trials[row].values]
        if len(values) == len(rows) and len(set(values)) > 1:
            axes[name] = Axis(*coordinates(values, name in logarithmic))
    return axes


_Split = tuple[tuple[str, ...], dict[str, int]]


def _split(observed: Observations, name: str) -> _Split:
    """The levels of a hyperparameter, and which of them each trial has, by its id."""
    having = {key: each[name] for key, each in observed.configurations.items() if name in each}
    found = levels(list(having.values()))
    return found.labels, dict(zip(having, map(int, found.positions), strict=True))


def _p_values(
    split: Mapping[str, _Split], trials: Sequence[Observation], target: np.ndarray
) -> dict[str, float]:
    """For each hyperparameter, whether its levels differ by more than chance, adjusted for their number."""
    found = []
    for labels, positions in split.values():
        own = np.array([positions.get(trial.trial_id, -1) for trial in trials])
        found.append(differing([target[own == level] for level in range(len(labels))]))
    return dict(zip(split, holm(found), strict=True))


def _levels(split: _Split, observed: Observations) -> tuple[Level, ...]:
    labels, positions = split
    found = []
    for level, label in enumerate(labels):
        own = [trial for trial in observed.trials if positions.get(trial.trial_id) == level]
        failed = sum(positions.get(trial.trial_id) == level for trial in observed.failed)
        means = {
            target: Mean(float(np.mean(values)), *(mean_interval(values) or (None, None)))
            for target in TARGETS
            if (values := [getattr(trial, target) for trial in own])
        }
        found.append(Level(label, len(own), failed, means))
    return tuple(found)


def _order(hyperparameter: Hyperparameter) -> tuple[bool, float]:
    """Those of all trials by their share of the score, then those of some trials by theirs."""
    share = hyperparameter.effects[SCORE].share
    return hyperparameter.conditional, -share.share if share else 0.0


def _failing(hyperparameters: Iterable[Hyperparameter]) -> list[str]:
    """Sentences on the values whose trials fail more often than those with the other values.

    Source: Fisher's exact test, one-sided, adjusted for the number of values.
    """
    from scipy import stats

    cases, p_values = [], []
    for hyperparameter in hyperparameters:
        failed = sum(level.failed for level in hyperparameter.levels)
        passed = hyperparameter.trials
        for level in hyperparameter.levels if failed else ():
            others = failed - level.failed, passed - level.trials
            table = [[level.failed, level.trials], list(others)]
            p_values.append(float(stats.fisher_exact(table, alternative="greater").pvalue))
            cases.append((hyperparameter.name, level, others))
    return [
        f"{name} {level.label} fails more often: {level.failed} of {level.failed + level.trials} trials, "
        f"with other values {others[0]} of {sum(others)} ({p_text(p_value)})"
        for (name, level, others), p_value in zip(cases, holm(p_values), strict=True)
        if p_value < ALPHA
    ]


def _adaptive(run: RunView) -> bool:
    """Whether earlier scores chose later configurations."""
    config = run.config
    by = config.sampler if config.algorithm in WITH_RUNGS else config.algorithm
    return by not in ("random", "grid")


def _caveats(run: RunView, adaptive: bool, trials: int) -> list[str]:
    found = []
    if trials > SAMPLE:
        found.append(
            f"shares are of samples: each tree and each resample takes {SAMPLE} of the {trials:,} trials at "
            "random; means, p values and failures are of all"
        )
    if adaptive:
        found.append(
            "earlier scores chose later configurations, so good values come with good values of others: the "
            "means mix their effects, and p values would too; shares weigh all values alike"
        )
    if run.config.workers > 1:
        found.append("workers shared the machine, and their seconds depend on what ran beside them")
    return found
