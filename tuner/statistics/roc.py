"""AUROC, average precision, EER and TPR at a FPR: how well scores tell one class, at any threshold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuner.statistics.intervals import auroc_interval

FALSE_POSITIVE_RATES = (0.01, 0.001)


def ranking_figures(positives: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Return AUROC, average precision, equal error rate, and sensitivity at few false positives.

    All of them are None where one of the two sides has no images. They describe the ROC curve of these
    images; none of the thresholds behind them is meant for use.

    Args:
        positives: Which images are positive, of shape (n,), boolean.
        scores: Of shape (n,); the higher, the more positive.
    """
    if positives.all() or not positives.any():
        names = ("auroc", "auroc_interval_95", "average_precision", "eer", "tpr_at_fpr")
        return dict.fromkeys(names)
    true, false = _counts_from(positives, scores)
    fpr, tpr = false / false[-1], true / true[-1]
    precision = true[1:] / (true[1:] + false[1:])
    return {
        "auroc": float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2)),
        "auroc_interval_95": list(auroc_interval(positives, scores)),
        "average_precision": float(np.sum(np.diff(tpr) * precision)),
        # Where as many positives are missed as negatives are taken for positive, on straight lines.
        "eer": float(np.interp(0.0, fpr - (1 - tpr), fpr)),
        "tpr_at_fpr": [
            {
                "fpr": rate,
                "tpr": float(tpr[fpr <= rate].max()),
                "false_positives": math.floor(rate * int((~positives).sum()) + 1e-9),
            }
            for rate in FALSE_POSITIVE_RATES
        ],
    }


def _counts_from(positives: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of positives and negatives from each score on, the highest first, with a zero before.

    They are what scikit-learn computes, whose checks take most of the time where classes are many.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    true = np.cumsum(positives[order])[last]
    return np.append(0, true), np.append(0, last + 1 - true)
