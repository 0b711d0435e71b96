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
    return _area_interval(area, variance, int(positives.sum()), int((~positives).sum()))


def macro_auroc_interval(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """Return the 95 % confidence interval of the mean of the areas of each class against the rest.

    The areas are of the same images, and so not independent. What an image adds to an area, in DeLong's
    terms, is summed over the areas; the variance of these sums within each true class makes that of the mean.
    Of two classes it is DeLong's. The interval is then made as in `auroc_interval`; where that takes
    Newcombe's, it is here that of the smallest class against the rest, the widest of all.

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
    smallest = int(counts.min())
    variance = math.nan
    if smallest > 1:
        variance = sum(
            count * float(influence[labels == column].var(ddof=1))
            for column, count in zip(present, counts.tolist(), strict=True)
        )
    return _area_interval(float(np.mean(areas)), variance, smallest, len(labels) - smallest)


def delong(positives: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return the area under the ROC curve and its variance, NaN with a single image of a class.

    Arguments are those of `auroc_interval`.

    Source: Sun & Xu 2014, Fast implementation of DeLong's algorithm, which takes time of order n log n.
    """
    above, below = _placements(positives, scores)
    area = float(above.mean())
    if len(above) == 1 or len(below) == 1:
        return area, math.nan
    return area, float(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))


def _placements(positives: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of negatives below each positive, and of positives above each negative; ties count half."""
    high, low = scores[positives], scores[~positives]
    ranks = _midranks(scores)
    above = (ranks[positives] - _midranks(high)) / len(low)
    return above, 1 - (ranks[~positives] - _midranks(low)) / len(high)


def _area_interval(area: float, variance: float, m: int, n: int) -> tuple[float, float]:
    """Normal on the scale of the logit; Newcombe's of m images and n where the variance says nothing."""
    if not (variance > 0 and 0 < area < 1):
        return _newcombe_interval(area, m, n)
    centre = math.log(area / (1 - area))
    half = Z_95 * math.sqrt(variance) / (area * (1 - area))
    return 1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre))


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
