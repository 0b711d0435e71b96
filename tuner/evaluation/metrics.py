"""Figures on a labelled split, each recomputable from predictions.csv."""

from __future__ import annotations

import math
from typing import Any

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


def predicted_classes(probabilities: np.ndarray) -> np.ndarray:
    """Return the class index of each row of (n, num_classes); an exact tie goes to the later of two classes.

    For two classes that is the usual rule `probability of the second >= 0.5`.
    """
    if probabilities.shape[1] == 2:
        return np.asarray(probabilities[:, 1] >= 0.5, dtype=np.int64)
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)


def evaluate(
    labels: np.ndarray, probabilities: np.ndarray, class_names: tuple[str, ...], positive: str | None
) -> dict[str, Any]:
    """Return what evaluation.json holds for labels (n,) and class probabilities (n, num_classes).

    The confusion matrix has a row for each true class, a column for each predicted one, in the order of
    `class_names`. AUROC is that of the positive class, for two classes only.
    """
    from sklearn import metrics

    predicted = predicted_classes(probabilities)
    indices = list(range(len(class_names)))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=indices, zero_division=0.0
    )
    correct = int((labels == predicted).sum())
    result: dict[str, Any] = {
        "images": len(labels),
        "correct": correct,
        "accuracy": correct / len(labels),
        "accuracy_interval_95": list(wilson_interval(correct, len(labels))),
        "class_names": list(class_names),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=indices).tolist(),
        "classes": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "images": int(support[i]),
            }
            for i, name in enumerate(class_names)
        },
    }
    if positive is not None:
        column = class_names.index(positive)
        result["positive_class"] = positive
        result["auroc"] = float(metrics.roc_auc_score(labels == column, probabilities[:, column]))
    return result
