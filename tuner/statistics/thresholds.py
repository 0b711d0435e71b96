"""The threshold and the temperature, chosen on validation images only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuner.statistics.calibration import fit_temperature

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Chosen:
    """A threshold on the probability of the positive class, and the temperature; None where there is none.

    `source` says who chose the threshold: "validation", or "given" by the user. `converged` is False where a
    temperature was looked for, and none within its bounds is the best.
    """

    threshold: float | None = None
    temperature: float | None = None
    source: str = "validation"
    converged: bool = True


NOTHING_CHOSEN = Chosen()


def choose_on_validation(labels: np.ndarray, probabilities: np.ndarray, positive: int | None) -> Chosen:
    """Choose threshold and temperature on labelled validation images.

    Args:
        labels: Class indices of shape (n,).
        probabilities: Of shape (n, num_classes).
        positive: Index of the positive class; without one, or of more than two classes, there is no
            threshold.
    """
    threshold = None
    if positive is not None and probabilities.shape[1] == 2:
        threshold = choose_threshold(labels == positive, probabilities[:, positive])
    temperature = fit_temperature(labels, probabilities)
    return Chosen(threshold, temperature, converged=temperature is not None)


def choose_threshold(positives: np.ndarray, scores: np.ndarray) -> float:
    """Return the threshold with the highest balanced accuracy, where `score >= threshold` is positive.

    It lies halfway between two scores, or is the lowest of all. Of several equally good ones it is the
    nearest to 0.5, and 0.5 itself where nothing is better or one of the sides has no images.

    Args:
        positives: Which images are positive, of shape (n,), boolean.
        scores: Probability of the positive class, of shape (n,).

    Source: Youden 1950, Index for rating diagnostic tests; J + 1 is twice the balanced accuracy.
    """
    high, low = np.sort(scores[positives]), np.sort(scores[~positives])
    if not (len(high) and len(low)):
        return DEFAULT_THRESHOLD
    distinct = np.unique(scores)
    middles = (distinct[:-1] + distinct[1:]) / 2
    # Between neighbouring floats there is no room: the middle may be the lower of them.
    middles = np.where(middles > distinct[:-1], middles, distinct[1:])
    # With the lowest score all are positive: better than a model that is worse than chance.
    candidates = np.concatenate([distinct[:1], middles, [DEFAULT_THRESHOLD]])
    # Whole numbers, so that equally good is equal: n_low times the hits, n_high times the correct rejections.
    hits = len(high) - np.searchsorted(high, candidates)
    rejections = np.searchsorted(low, candidates)
    merit = hits.astype(np.int64) * len(low) + rejections.astype(np.int64) * len(high)
    best = candidates[merit == merit.max()]
    return float(best[np.abs(best - DEFAULT_THRESHOLD).argmin()])
