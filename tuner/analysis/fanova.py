"""Shares of variance by functional ANOVA, and how far they move when the trials are drawn again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Enough for shares that repeat to within about two hundredths.
TREES = 64
RESAMPLES = 60
RESAMPLE_TREES = 5
UNSEEN_TREES = 200


@dataclass(frozen=True)
class Axis:
    """One hyperparameter in numbers, of shape (trials,), between its bounds."""

    values: np.ndarray
    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """Part of the variance between configurations that one hyperparameter alone explains, from 0 to 1.

    The interval holds 95 % of the shares that resamples of the trials give, and the share itself.
    """

    share: float
    low_95: float
    high_95: float


def shares(axes: Mapping[str, Axis], target: np.ndarray, seed: int) -> dict[str, Share]:
    """Return the main effect of each hyperparameter on `target`, of shape (trials,).

    All values of a hyperparameter count alike, however often the search took them. Texts are axes too, one
    stretch for each: Optuna's own encoding of categories also counts combinations that cannot be.

    Source: Hutter et al. 2014, An efficient approach for assessing hyperparameter importance; Optuna 5.0,
    FanovaImportanceEvaluator; intervals: Efron 1979, Bootstrap methods, percentiles of resampled trials.
    """
    point = _fanova(axes, target, TREES, seed)
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in axes}
    for number in range(RESAMPLES):
        rows = rng.integers(0, len(target), len(target))
        resampled = {name: Axis(axis.values[rows], axis.low, axis.high) for name, axis in axes.items()}
        for name, share in _fanova(resampled, target[rows], RESAMPLE_TREES, seed + number + 1).items():
            drawn[name].append(share)
    found = {}
    for name, share in point.items():
        low, high = np.percentile(drawn[name], [2.5, 97.5])
        found[name] = Share(share, min(float(low), share), max(float(high), share))
    return found


def unseen_r2(axes: Mapping[str, Axis], target: np.ndarray, seed: int) -> float:
    """Return how much of the variance a forest explains in trials that it was not fitted to; below 0 none.

    Shares are of what the forest has learned: where that is nothing, they are of noise.

    Source: Breiman 2001, Random forests, section 3.1 (out-of-bag estimates).
    """
    from sklearn.ensemble import RandomForestRegressor

    if not np.ptp(target):
        return 0.0
    forest = RandomForestRegressor(UNSEEN_TREES, oob_score=True, random_state=seed)
    forest.fit(np.column_stack([axis.values for axis in axes.values()]), target)
    return float(forest.oob_score_)


def _fanova(axes: Mapping[str, Axis], target: np.ndarray, trees: int, seed: int) -> dict[str, float]:
    import optuna
    from optuna.distributions import BaseDistribution, FloatDistribution
    from optuna.importance import FanovaImportanceEvaluator

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions: dict[str, BaseDistribution] = {
        name: FloatDistribution(axis.low, axis.high) for name, axis in axes.items()
    }
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: float(axis.values[row]) for name, axis in axes.items()},
                distributions=distributions,
                value=float(value),
            )
            for row, value in enumerate(target)
        ]
    )
    try:
        # Not by `get_param_importances`, which makes the shares of main effects add up to one.
        evaluated = FanovaImportanceEvaluator(n_trees=trees, seed=seed).evaluate(study)
    except RuntimeError:  # no tree found any difference
        return dict.fromkeys(axes, 0.0)
    return {name: float(evaluated[name]) for name in axes}


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean by Student's t, None of fewer than two values."""
    from scipy import stats

    if len(values) < 2:
        return None
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    mean = float(np.mean(values))
    return mean - half, mean + half


def differing(groups: Sequence[np.ndarray]) -> float:
    """Return the p value of the hypothesis that all groups are drawn alike.

    Source: Kruskal & Wallis 1952, Use of ranks in one-criterion variance analysis.
    """
    from scipy import stats

    present = [group for group in groups if len(group)]
    if len(present) < 2 or not np.ptp(np.concatenate(present)):
        return 1.0
    return float(stats.kruskal(*present).pvalue)
