"""How often 95 % intervals of the area under the ROC curve hold the true area, in samples drawn at random."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from tuner.statistics.intervals import auroc_interval, macro_auroc_interval

SAMPLES = 1000
SIDES = [(10, 10), (20, 20), (10, 50), (30, 150), (150, 30), (100, 100), (200, 200)]
AREAS = [0.6, 0.8, 0.9, 0.95, 0.98, 0.99]


def scores(rng, kind, area, m, n):
    """Scores of m positives and n negatives whose true area is the one given.

    Normal ones with the standard deviation of the positives; exponential ones; and a mixture, where a share
    of the positives cannot be told from negatives and all others lie far above.
    """
    if kind == "exponential":
        return rng.exponential(area / (1 - area), m), rng.exponential(1, n)
    if kind == "mixture":
        hidden = rng.random(m) < 2 * (1 - area)
        return rng.normal(np.where(hidden, 0, 20), 1), rng.normal(0, 1, n)
    return rng.normal(norm.ppf(area) * math.hypot(1, kind), kind, m), rng.normal(0, 1, n)


def coverage(rng, kind, area, m, n):
    """The share of samples whose interval holds the true area."""
    positives, held = np.arange(m + n) < m, 0
    for _ in range(SAMPLES):
        low, high = auroc_interval(positives, np.concatenate(scores(rng, kind, area, m, n)))
        held += low <= area <= high
    return held / SAMPLES


@pytest.mark.slow
def test_the_interval_of_an_area_holds_the_true_one_in_95_percent_of_samples():
    rng = np.random.default_rng(0)
    found = {
        (kind, area, m, n): coverage(rng, kind, area, m, n)
        for kind in (1.0, 0.5, 2.0, "exponential", "mixture")
        for area in AREAS
        for m, n in SIDES
    }
    shares = np.array(list(found.values()))
    worst = sorted(found.items(), key=lambda item: item[1])[:5]
    print(f"mean {shares.mean():.4f}, 5 % below {np.quantile(shares, 0.05):.3f}, worst {worst}")
    assert shares.mean() >= 0.95
    # A standard error of a share is 0.007 here.
    assert np.quantile(shares, 0.05) >= 0.935, worst
    assert shares.min() >= 0.89, worst


@pytest.mark.slow
@pytest.mark.parametrize("counts", [(15, 15, 15), (40, 20, 10), (20,) * 5, (10,) * 10])
@pytest.mark.parametrize("distance", [0.7, 1.5, 2.5])
def test_the_interval_of_a_mean_of_areas_holds_the_true_one(counts, distance):
    """Each class has a score of its own, higher by a distance in the images of that class alone."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), counts)
    true, held = norm.cdf(distance / math.sqrt(2)), 0
    for _ in range(SAMPLES):
        drawn = rng.normal(0, 1, (len(labels), len(counts))) + distance * np.eye(len(counts))[labels]
        low, high = macro_auroc_interval(labels, drawn)
        held += low <= true <= high
    print(f"{counts} {true:.3f}: {held / SAMPLES:.3f}")
    assert held / SAMPLES >= 0.93
