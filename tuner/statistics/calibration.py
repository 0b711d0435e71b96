"""Calibration: how far probabilities lie from the share that is right, and the temperature to correct it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner.statistics.intervals import wilson_interval

NUM_BINS = 15
TEMPERATURES = (0.05, 20.0)
"""Lowest and highest temperature that is fitted."""

NOT_CONVERGED = (
    "calibration did not converge on the validation images: "
    f"no temperature between {TEMPERATURES[0]:g} and {TEMPERATURES[1]:g} has the smallest log loss"
)

LEAST_PROBABILITY = float(np.finfo(np.float64).eps)
"""The value of a probability of zero in a logarithm, as in scikit-learn: the machine epsilon of float64."""

# Half the spacing of float32 below 1: nothing nearer to 0 or 1 can be told from a model's output. The zero of
# a saturated sigmoid says only that much; taken for less, a few such images would decide the temperature.
_SMALLEST = float(np.finfo(np.float32).epsneg) / 2


def predicted_classes(probabilities: np.ndarray) -> np.ndarray:
    """Return the class index of each row of (n, num_classes).

    An exact tie goes to the second of two classes, as in the usual rule `probability of the second >= 0.5`;
    of more classes it goes to the first.
    """
    if probabilities.shape[1] == 2:
        return np.asarray(probabilities[:, 1] >= 0.5, dtype=np.int64)
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Return the points of the reliability curve: how often predictions of like confidence are right.

    Confidence is the probability of the predicted class. It is put into NUM_BINS bins of equal width,
    (0, 1/15], (1/15, 2/15] and so on; those without images are left out.

    Args:
        labels: Class indices of shape (n,).
        probabilities: Of shape (n, num_classes).
    """
    predicted = predicted_classes(probabilities)
    confidence = probabilities[np.arange(len(labels)), predicted]
    right = predicted == labels
    bins = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    points = []
    for number in np.unique(bins).tolist():
        inside = bins == number
        correct, images = int(right[inside].sum()), int(inside.sum())
        points.append(
            {
                "low": number / NUM_BINS,
                "high": (number + 1) / NUM_BINS,
                "images": images,
                "confidence": float(confidence[inside].mean()),
                "accuracy": correct / images,
                "accuracy_interval_95": list(wilson_interval(correct, images)),
            }
        )
    return points


def calibration_error(points: list[dict[str, Any]]) -> float:
    """Return the expected calibration error (ECE) of a reliability curve, from 0 to 1.

    It is the distance between accuracy and confidence, averaged over bins by their images. Chance alone makes
    it larger than zero, the more so the fewer images there are.

    Source: Guo et al. 2017, On calibration of modern neural networks, equation 3.
    """
    gaps = [abs(point["accuracy"] - point["confidence"]) for point in points]
    return float(np.average(gaps, weights=[point["images"] for point in points]))


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Return the temperature within TEMPERATURES that makes the log loss on these images smallest.

    To be called with validation images. None where no temperature inside the bounds is better than both
    bounds: the fit does not converge, as with a model that knows nothing. Where all images are right the loss
    falls for ever with the temperature, and says nothing about it: it stays 1.

    Args:
        labels: Class indices of shape (n,).
        probabilities: Of shape (n, num_classes).

    Source: Guo et al. 2017, On calibration of modern neural networks, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    if (predicted_classes(probabilities) == labels).all():
        return 1.0
    # Up to a constant for each image, which makes no difference.
    logits = np.log(np.maximum(probabilities, _SMALLEST))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        most = scaled.max(axis=1)
        totals = most + np.log(np.exp(scaled - most[:, None]).sum(axis=1))
        return float((totals - scaled[np.arange(len(labels)), labels]).mean())

    # Convex in 1 / temperature, so with one minimum on any scale.
    lowest, highest = (float(bound) for bound in np.log(TEMPERATURES))
    found = minimize_scalar(loss, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-6})
    if not found.fun < min(loss(lowest), loss(highest)):
        return None
    return float(np.exp(found.x))


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities (n, num_classes) as they were with all logits divided by a temperature above 0.

    At a temperature of 1 they stay as they are, but for zeros, which become LEAST_PROBABILITY.
    """
    from scipy.special import softmax

    logits = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    return np.asarray(softmax(logits / temperature, axis=1))
