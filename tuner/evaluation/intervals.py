"""95 % confidence intervals of shares and of the area under the ROC curve."""

from __future__ import annotations

import math

import numpy as np

Z_95 = 1.959963984540054


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    share = successes / total
    centre = share + Z_95**2 / (2 * total)
    half = Z_95 * math.sqrt(share * (1 - share) / total + Z_95**2 / (4 * total**2))
    scale = 1 + Z_95**2 / total
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def auroc_interval(positives: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return the area's 95 % confidence interval: DeLong's variance, normal on the scale of its logit.

    On that scale the interval stays within 0 and 1, also where the area is nearly 1. Where DeLong's variance
    is zero or has none, at a perfect separation or with a single image of a class, it would be no interval
    at all; there it is Newcombe's, which depends on the area and the numbers of images alone.

    Args:
        positives: Which images are positive, of shape (n,), boolean; at least one is and one is not.
        scores: Of shape (n,); the higher, the more positive.

    Source: DeLong et al. 1988, Comparing the areas under two or more correlated receiver operating
    characteristic curves; Pepe 2003, The statistical evaluation of medical tests, section 5.2.5, for the
    logit; Newcombe 2006, Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic, part 2, method 5.
    """
    area, variance = delong(positives, scores)
    if not (variance > 0 and 0 < area < 1):
        return _newcombe_interval(area, int(positives.sum()), int((~positives).sum()))
    centre = math.log(area / (1 - area))
    half = Z_95 * math.sqrt(variance) / (area * (1 - area))
    return 1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre))


def delong(positives: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return the area under the ROC curve and its variance, NaN with a single image of a class.

    Arguments are those of `auroc_interval`.

    Source: Sun & Xu 2014, Fast implementation of DeLong's algorithm, which takes time of order n log n.
    """
    high, low = scores[positives], scores[~positives]
    m, n = len(high), len(low)
    ranks = _midranks(scores)
    # The share of negatives below each positive, and of positives above each negative; ties count half.
    above = (ranks[positives] - _midranks(high)) / n
    below = 1 - (ranks[~positives] - _midranks(low)) / m
    area = float(above.mean())
    if m == 1 or n == 1:
        return area, math.nan
    return area, float(above.var(ddof=1) / m + below.var(ddof=1) / n)


def _midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[group])


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
