import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit
from sklearn import metrics as reference

from tuner.statistics.auroc import auroc
from tuner.statistics.intervals import (
    Z_95,
    auroc_interval,
    macro_auroc_interval,
    wilson_interval,
)

# Coarse, so that scores tie.
SCORES = st.lists(st.integers(0, 9).map(lambda tenth: tenth / 10), min_size=2, max_size=12)


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # Newcombe 1998, Two-sided confidence intervals for the single proportion, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # By hand: half of 100, centre 0.5, half-width 1.96 * sqrt(0.25 / 100 + 1.96^2 / 40000) / 1.0384.
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_the_interval_is_wilsons(successes, total, low, high):
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_stays_within_bounds(case):
    successes, total = case
    low, high = wilson_interval(successes, total)
    assert 0 <= low <= successes / total + 1e-12
    assert successes / total - 1e-12 <= high <= 1


@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_failures_mirrors_that_of_successes(case):
    successes, total = case
    low, high = wilson_interval(successes, total)
    mirrored = wilson_interval(total - successes, total)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


def sides(high, low):
    """Positives and scores from the scores of either side."""
    return np.array([True] * len(high) + [False] * len(low)), np.array([*high, *low])


def test_the_interval_of_an_area_is_delongs_on_the_scale_of_the_logit():
    """Area 3/4, variance 1/8, half of it of either side, so that t has two degrees of freedom.

    The standard error of the logit is sqrt(1/8) / (3/16); the quantile of t is from a table.
    """
    half = 4.302653 * math.sqrt(1 / 8) / (3 / 16)
    low, high = auroc_interval(*sides([3, 5], [2, 4]))
    assert math.log(low / (1 - low)) == pytest.approx(math.log(3) - half)
    assert math.log(high / (1 - high)) == pytest.approx(math.log(3) + half)


def test_the_interval_of_an_area_with_ties_by_hand():
    """Area 5/8. Shares of negatives below: 1/4 and 1; of positives above: 3/4 and 1/2.

    Variances 9/32 and 1/32, divided by two images each: 9/64 and 1/64. Degrees of freedom by Welch: 100/82.
    """
    half = stats.t.ppf(0.975, 100 / 82) * math.sqrt(10 / 64) / (5 / 8 * 3 / 8)
    low, high = auroc_interval(*sides([2, 5], [2, 4]))
    assert math.log(low / (1 - low)) == pytest.approx(math.log(5 / 3) - half)
    assert math.log(high / (1 - high)) == pytest.approx(math.log(5 / 3) + half)


@given(SCORES, SCORES)
def test_each_end_is_delongs_by_his_definition_or_that_of_newcombe(high, low):
    order = np.array([[(x > y) + (x == y) / 2 for y in low] for x in high])
    area, m, n = order.mean(), len(high), len(low)
    parts = [order.mean(axis=1).var(ddof=1) / m, order.mean(axis=0).var(ddof=1) / n]
    assume(sum(parts) > 1e-9)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (m - 1) + parts[1] ** 2 / (n - 1))
    half = stats.t.ppf(0.975, freedom) * math.sqrt(sum(parts)) / (area * (1 - area))
    for end, sign in zip(auroc_interval(*sides(high, low)), (-1, 1), strict=True):
        beyond = sign * (end - expit(logit(area) + sign * half))
        assert beyond > -1e-9
        if beyond > 1e-9:
            factor = 1 + ((m + n) / 2 - 1) * ((1 - end) / (2 - end) + end / (1 + end))
            assert abs(area - end) == pytest.approx(Z_95 * math.sqrt(end * (1 - end) * factor / (m * n)))


def test_the_interval_is_newcombes_where_that_is_wider():
    """One of 100 positives is below one negative: DeLong's variance rests on a pair alone.

    At each end of Newcombe's, the area found is 1.96 of his standard errors away.
    """
    area, n = 1 - 1e-4, 100
    low, _ = auroc_interval(*sides([*range(n + 1, 2 * n), n - 0.5], range(1, n + 1)))
    squared = low * (1 - low) * (1 + (n - 1) * ((1 - low) / (2 - low) + low / (1 + low))) / n**2
    assert area - low == pytest.approx(Z_95 * math.sqrt(squared))


@given(SCORES, SCORES)
def test_the_interval_holds_the_area_and_is_never_a_point(high, low):
    positives, scores = sides(high, low)
    bounds = auroc_interval(positives, scores)
    area = reference.roc_auc_score(positives, scores)
    assert 0 <= bounds[0] <= area + 1e-9
    assert area - 1e-9 <= bounds[1] <= 1
    assert bounds[1] - bounds[0] > 0.01


def test_the_interval_of_a_perfect_separation_by_hand():
    """Of one image a side, 1 - a = z sqrt(a (1 - a)), that is a = 1 / (1 + z^2), as for one of one."""
    assert auroc_interval(*sides([2], [1])) == pytest.approx((1 / (1 + Z_95**2), 1.0))
    assert auroc_interval(*sides([1], [2])) == pytest.approx((0.0, Z_95**2 / (1 + Z_95**2)))


def test_a_perfect_separation_of_more_images_says_more():
    lows = [auroc_interval(*sides(range(n, 2 * n), range(n)))[0] for n in (5, 50, 500)]
    assert lows == sorted(lows)
    assert 0.5 < lows[0] < 0.99 < lows[2] < 1


@given(SCORES, SCORES)
def test_of_two_classes_the_interval_of_the_mean_is_that_of_the_area(high, low):
    positives, scores = sides(high, low)
    found = macro_auroc_interval(positives.astype(int), np.stack([1 - scores, scores], axis=1))
    assert found == pytest.approx(auroc_interval(positives, scores), abs=1e-9)


@pytest.mark.parametrize("counts", [(100, 100, 100), (150, 60, 30)])
def test_the_interval_of_a_mean_over_three_classes_agrees_with_a_bootstrap(counts):
    """Within each class images are drawn anew; the standard errors agree to a tenth."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], counts)
    logits = rng.normal(0, 1, (len(labels), 3)) + 1.2 * np.eye(3)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def mean(chosen):
        areas = [auroc(labels[chosen] == k, probabilities[chosen, k]) for k in range(3)]
        return float(np.mean(areas))

    of_class = [np.flatnonzero(labels == k) for k in range(3)]
    drawn = [mean(np.concatenate([rng.choice(each, len(each)) for each in of_class])) for _ in range(1000)]
    low, high = macro_auroc_interval(labels, probabilities)
    assert (logit(high) - logit(low)) / (2 * Z_95) == pytest.approx(np.std(logit(np.array(drawn))), rel=0.1)
    assert (logit(high) + logit(low)) / 2 == pytest.approx(logit(mean(np.arange(len(labels)))))


@given(st.lists(st.integers(0, 2), min_size=3, max_size=15), st.integers(0, 2**32 - 1))
def test_the_interval_of_a_mean_holds_it_and_is_never_a_point(more, seed):
    labels = np.array([0, 1, 2, *more])
    probabilities = np.random.default_rng(seed).integers(1, 4, (len(labels), 3)).astype(float)
    low, high = macro_auroc_interval(labels, probabilities)
    mean = np.mean([reference.roc_auc_score(labels == k, probabilities[:, k]) for k in range(3)])
    assert 0 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= 1
    assert high - low > 0.01


def test_a_class_without_images_has_no_part_in_the_interval_of_a_mean():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 40), rng.random((40, 3))
    assert macro_auroc_interval(labels, scores) == macro_auroc_interval(labels, scores[:, :2])
