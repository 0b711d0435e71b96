"""Figures on a labelled split, each recomputable from predictions.csv."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner.statistics.calibration import (
    LEAST_PROBABILITY,
    at_temperature,
    calibration_error,
    predicted_classes,
    reliability,
)
from tuner.statistics.confusion import most_confused
from tuner.statistics.headline import headline
from tuner.statistics.intervals import macro_auroc_interval, wilson_interval
from tuner.statistics.roc import ranking_figures
from tuner.statistics.thresholds import NOTHING_CHOSEN, Chosen
from tuner.statistics.verdict import verdict


def evaluate(
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: tuple[str, ...],
    positive: str | None,
    chosen: Chosen = NOTHING_CHOSEN,
    seen: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return what evaluation.json holds for labels (n,) and class probabilities (n, num_classes).

    Figures at the top are those of the most probable class: of two classes, at a threshold of 0.5. Those
    under `at_threshold` and `calibrated` are at the threshold and temperature chosen on other images; where
    the fit of the temperature did not converge, `calibrated` is None.
    Rows of a confusion matrix are true classes, columns predicted ones, in the order of `class_names`;
    `most_confused` are its pairs of classes with the most images, where there are more than two. With a
    positive class, what depends on the order of the images (AUROC and the like) is about that; without one,
    or of more than two classes, it is under `one_vs_rest`, about each class against all others, and under
    `macro`, the mean of these. A threshold is for two classes only.

    Where training saw some of the images, of which `seen` (n,) tells, accuracy and AUROC of the others are
    under `without_seen`: the figures at the top are of all and may be too good. `verdict` holds sentences on
    a result that is no success, else None.

    Of a class without images recall, F1 and the figures of its ranking are None, and all means are over the
    others, so that they do not depend on classes that were not looked at.
    """
    result: dict[str, Any] = {
        "images": len(labels),
        **_decisions(labels, predicted_classes(probabilities), class_names),
    }
    if len(class_names) > 2:
        result["most_confused"] = most_confused(result["confusion_matrix"], class_names)
    column = None if positive is None else class_names.index(positive)
    if column is not None:
        result["positive_class"] = positive
        result |= ranking_figures(labels == column, probabilities[:, column])
    if column is None or len(class_names) > 2:
        result["one_vs_rest"] = {
            name: ranking_figures(labels == i, probabilities[:, i]) for i, name in enumerate(class_names)
        }
        result["macro"] |= _macro_ranking(labels, probabilities, list(result["one_vs_rest"].values()))
    result |= _probability_figures(labels, probabilities)
    if column is not None and len(class_names) == 2 and chosen.threshold is not None:
        predicted = np.where(probabilities[:, column] >= chosen.threshold, column, 1 - column)
        result["at_threshold"] = {
            "threshold": chosen.threshold,
            "source": chosen.source,
            **_decisions(labels, predicted, class_names),
        }
    if chosen.temperature is not None:
        calibrated = at_temperature(probabilities, chosen.temperature)
        result["calibrated"] = {
            "temperature": chosen.temperature,
            **_probability_figures(labels, calibrated),
        }
    elif not chosen.converged:
        result["calibrated"] = None
    if seen is not None and seen.any():
        others = ~seen
        result["without_seen"] = {"seen": int(seen.sum()), "images": int(others.sum())}
        if others.any():
            unseen = evaluate(labels[others], probabilities[others], class_names, positive)
            result["without_seen"] |= headline(unseen)
    result["verdict"] = verdict(result)
    return result


def chosen_before(evaluation: dict[str, Any]) -> Chosen:
    """Return what was chosen on validation images for an evaluation, as `evaluate` wrote it down."""
    at_threshold = evaluation.get("at_threshold", {})
    calibrated = evaluation.get("calibrated", {})
    return Chosen(
        at_threshold.get("threshold"),
        (calibrated or {}).get("temperature"),
        at_threshold.get("source", "validation"),
        converged=calibrated is not None,
    )


def _decisions(labels: np.ndarray, predicted: np.ndarray, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Figures of one predicted class for each image."""
    from sklearn import metrics

    indices = list(range(len(class_names)))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=indices, zero_division=0.0
    )
    seen = support > 0
    correct = int((labels == predicted).sum())
    return {
        "correct": correct,
        "accuracy": correct / len(labels),
        "accuracy_interval_95": list(wilson_interval(correct, len(labels))),
        "balanced_accuracy": float(recall[seen].mean()),
        "class_names": list(class_names),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=indices).tolist(),
        "classes": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]) if seen[i] else None,
                "f1": float(f1[i]) if seen[i] else None,
                "images": int(support[i]),
            }
            for i, name in enumerate(class_names)
        },
        "macro": {
            "precision": float(precision[seen].mean()),
            "recall": float(recall[seen].mean()),
            "f1": float(f1[seen].mean()),
        },
    }


def _macro_ranking(
    labels: np.ndarray, probabilities: np.ndarray, classes: list[dict[str, Any]]
) -> dict[str, Any]:
    """Means over the classes that have such figures, None where no class has."""
    found = [figures for figures in classes if figures["auroc"] is not None]
    if not found:
        return dict.fromkeys(("auroc", "auroc_interval_95", "average_precision", "eer", "tpr_at_fpr"))
    means = {
        name: float(np.mean([figures[name] for figures in found]))
        for name in ("auroc", "average_precision", "eer")
    }
    points = zip(*(figures["tpr_at_fpr"] for figures in found), strict=True)
    return {
        **means,
        "auroc_interval_95": list(macro_auroc_interval(labels, probabilities)),
        "tpr_at_fpr": [
            {"fpr": each[0]["fpr"], "tpr": float(np.mean([point["tpr"] for point in each]))}
            for each in points
        ],
    }


def _probability_figures(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Log loss in nats; Brier score, 0 to 1 for two classes and 0 to 2 for more; ECE with its curve.

    Source: Brier 1950, Verification of forecasts expressed in terms of probability; for two classes half of
    it, the squared error of either class, as is usual today.
    """
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # The square of the difference from 0 or 1, summed without an array as large as the probabilities.
    squares = np.einsum("ij,ij->i", probabilities, probabilities, dtype=np.float64)
    squared = squares - of_truth**2 + (1 - of_truth) ** 2
    points = reliability(labels, probabilities)
    return {
        "log_loss": float(-np.log(np.maximum(of_truth, LEAST_PROBABILITY)).mean()),
        "brier": float(squared.mean() / (2 if probabilities.shape[1] == 2 else 1)),
        "ece": calibration_error(points),
        "reliability": points,
    }
