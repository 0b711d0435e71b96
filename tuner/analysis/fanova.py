"""Shares of variance by functional ANOVA, and how far they move when the trials are drawn again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuner.analysis.forest_leaves import forest_leaves

# Enough for shares that repeat to within about two hundredths.
TREES = 64
RESAMPLES = 60
RESAMPLE_TREES = 5
UNSEEN_TREES = 200
MAX_DEPTH = 64
# Trials that a tree or a resample takes at most: more of them make trees larger, and shares hardly better.
SAMPLE = 500


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


def shares(
    axes: Mapping[str, Axis], target: np.ndarray, seed: int, names: Collection[str]
) -> dict[str, Share]:
    """Return the main effects of the hyperparameters `names` on `target`, of shape (trials,).

    All values of a hyperparameter count alike, however often the search took them. Texts are axes too, one
    stretch for each. Of more than SAMPLE trials, each tree and each resample takes that many at random.

    Args:
        axes: All hyperparameters that the forest takes into account.

    Source: Hutter et al. 2014, An efficient approach for assessing hyperparameter importance; intervals:
    Efron 1979, Bootstrap methods, percentiles of resampled trials; fewer draws than trials: Bickel, Götze &
    van Zwet 1997, Resampling fewer than n observations.
    """
    rows_of = np.column_stack([axes[name].values for name in sorted(axes)])
    point = _main_effects(axes, rows_of, target, TREES, seed, names)
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in names}
    for number in range(RESAMPLES):
        rows = rng.integers(0, len(target), min(len(target), SAMPLE))
        resampled = _main_effects(axes, rows_of[rows], target[rows], RESAMPLE_TREES, seed + number + 1, names)
        for name, share in resampled.items():
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
    forest = RandomForestRegressor(
        UNSEEN_TREES, oob_score=True, max_samples=_draws(target), random_state=seed
    )
    forest.fit(np.column_stack([axis.values for axis in axes.values()]), target)
    return float(forest.oob_score_)


def _main_effects(
    axes: Mapping[str, Axis],
    rows: np.ndarray,
    target: np.ndarray,
    trees: int,
    seed: int,
    names: Collection[str],
) -> dict[str, float]:
    """The mean over trees of each share; `rows` has a column for each axis, in alphabetical order."""
    from sklearn.ensemble import RandomForestRegressor

    ordered = sorted(axes)
    forest = RandomForestRegressor(trees, max_depth=MAX_DEPTH, max_samples=_draws(target), random_state=seed)
    forest.fit(rows, target)
    low, high = (np.array([getattr(axes[name], bound) for name in ordered]) for bound in ("low", "high"))
    leaves = forest_leaves(forest, low, high)
    total = leaves.variances()
    if not total.any():  # no tree found any difference
        return dict.fromkeys(names, 0.0)
    return {
        name: float(np.mean(leaves.marginal_variances(ordered.index(name))[total > 0] / total[total > 0]))
        for name in names
    }


def _draws(target: np.ndarray) -> int | None:
    """How many trials each tree draws; None for as many as there are."""
    return SAMPLE if len(target) > SAMPLE else None


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
