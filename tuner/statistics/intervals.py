"""95 % confidence intervals of shares and of the area under the ROC curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tuner.statistics.auroc import midranks

Z_95 = 1.959963984540054


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    from scipy.stats import binomtest

    found = binomtest(successes, total).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def auroc_interval(positives: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return the area's 95 % confidence interval: at each end the wider of DeLong's and Newcombe's.

    DeLong's has Student's t on the scale of the area's logit, where it stays within 0 and 1. Its variance is
    too small by chance where few images are in the wrong order, and zero at a perfect separation. Newcombe's
    depends on the area and the numbers of images alone, and is too narrow for some distributions of scores.
    Each alone holds the true area in as few as 80 % of samples; the wider of both in 93 % or more, and in
    90 % where a tenth of few positives look like negatives. See tests/statistics/test_coverage.py.

    Args:
        positives: Which images are positive, of shape (n,), boolean; at least one is and one is not.
        scores: Of shape (n,); the higher, the more positive.

    Source: DeLong et al. 1988, Comparing the areas under two or more correlated receiver operating
    characteristic curves; Pepe 2003, The statistical evaluation of medical tests, section 5.2.5, for the
    logit; Welch 1947, The generalization of Student's problem, for the degrees of freedom; Newcombe 2006,
    Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2, method 5.
    The wider of both is our own step.
    """
    above, below = _placements(positives, scores)
    area = float(above.mean())
    newcombe = _newcombe_interval(area, len(above), len(below))
    return _hull(_logit_interval(area, [above, below]), newcombe)


def macro_auroc_interval(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """Return the 95 % confidence interval of the mean of the areas of each class against the rest.

    The areas are of the same images, and so not independent. What an image adds to an area, in DeLong's
    terms, is summed over the areas; the variance of these sums within each true class makes that of the mean.
    Of two classes the interval is that of `auroc_interval`. Of more it is DeLong's alone, as Newcombe's is
    about a single area; at a perfect separation, or with a single image of a class, it is Newcombe's of the
    smallest class against the rest, the widest of all.

    Args:
        labels: Class indices of shape (n,), of two classes or more; classes without images have no area.
        probabilities: Of shape (n, num_classes).

    Source: DeLong et al. 1988, as in `auroc_interval`, for the terms of each area. Summing them over classes
    is our own step, as DeLong's areas share one pair of sides; a bootstrap agrees. The mean is that of each
    class against the rest, not the measure of Hand & Till 2001, which is over pairs of classes.
    """
    present, counts = np.unique(labels, return_counts=True)
    areas, influence = [], np.zeros(len(labels))
    for column in present:
        positives = labels == column
        above, below = _placements(positives, probabilities[:, column])
        areas.append(float(above.mean()))
        influence[positives] += (above - areas[-1]) / (len(above) * len(present))
        influence[~positives] += (below - areas[-1]) / (len(below) * len(present))
    area, smallest = float(np.mean(areas)), int(counts.min())
    sums = [influence[labels == column] * count for column, count in zip(present, counts, strict=True)]
    found = _logit_interval(area, sums)
    if found is not None and len(present) > 2:
        return found
    return _hull(found, _newcombe_interval(area, smallest, len(labels) - smallest))


def _placements(positives: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of negatives below each positive, and of positives above each negative; ties count half.

    Source: Sun & Xu 2014, Fast implementation of DeLong's algorithm, which takes time of order n log n.
    """
    high, low = scores[positives], scores[~positives]
    ranks = midranks(scores)
    above = (ranks[positives] - midranks(high)) / len(low)
    return above, 1 - (ranks[~positives] - midranks(low)) / len(high)


def _logit_interval(area: float, groups: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """Student's t on the scale of the logit for a sum of means; None where the variance says nothing."""
    from scipy.special import expit, logit, stdtrit

    # Of the mean of each group; NaN of a single value.
    variances = [float(each.var(ddof=1) / len(each)) if len(each) > 1 else math.nan for each in groups]
    variance = sum(variances)
    if not (variance > 0 and 0 < area < 1):
        return None
    freedom = variance**2 / sum(
        each**2 / (len(group) - 1) for each, group in zip(variances, groups, strict=True)
    )
    half = stdtrit(freedom, 0.975) * math.sqrt(variance) / (area * (1 - area))
    return float(expit(logit(area) - half)), float(expit(logit(area) + half))


def _hull(found: tuple[float, float] | None, other: tuple[float, float]) -> tuple[float, float]:
    return other if found is None else (min(found[0], other[0]), max(found[1], other[1]))


def _newcombe_interval(area: float, m: int, n: int) -> tuple[float, float]:
    """Areas from which the one found lies 1.96 standard errors away, the errors being those at that area."""
    half_more = (m + n) / 2 - 1

    def distance(true: float) -> float:
        factor = 1 + half_more * ((1 - true) / (2 - true) + true / (1 + true))
        return abs(area - true) - Z_95 * math.sqrt(true * (1 - true) * factor / (m * n))

    def bound(far: float) -> float:
        near = area
        for _ in range(60):
            middle = (near + far) / 2
            near, far = (near, middle) if distance(middle) > 0 else (middle, far)
        return near

    return (bound(0.0) if area > 0 else 0.0), (bound(1.0) if area < 1 else 1.0)
