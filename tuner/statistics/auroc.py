"""The exact area under the ROC curve of two classes."""

from __future__ import annotations

import numpy as np

NAME = "auc"
"""The name under which it is logged, as Keras' approximation of it would be."""


def has_auroc(labels: np.ndarray) -> bool:
    """True for labels (n,) of which both 0 and 1 are there, and no others."""
    return set(np.unique(labels)) == {0, 1}


def auroc(labels: np.ndarray, outputs: np.ndarray) -> float:
    """Return the probability that an image of class 1 has a higher score than one of class 0, ties half.

    Which of the two classes is called positive makes no difference.

    Args:
        labels: (n,), 0 and 1, both there.
        outputs: (n, 1), the score of class 1, or (n, 2), a score for each class; logits or probabilities.

    Source: Mann and Whitney 1947; Hanley and McNeil 1982, section "The meaning of the area".
    """
    outputs = outputs.reshape(len(outputs), -1).astype(np.float64)
    scores = outputs[:, 0] if outputs.shape[1] == 1 else outputs[:, 1] - outputs[:, 0]
    positives = labels == 1
    high, low = int(positives.sum()), int((~positives).sum())
    return float((midranks(scores)[positives].sum() - high * (high + 1) / 2) / (high * low))


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[group])
