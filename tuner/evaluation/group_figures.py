"""Figures of each group of images, such as those of one generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner.evaluation.predictions import Predictions
from tuner.statistics.headline import headline
from tuner.statistics.metrics import evaluate

MAX_GROUPS = 100
"""With more groups there are no figures of each: their column in predictions.csv stays."""


def group_figures(predictions: Predictions, positive: str | None) -> dict[str, Any]:
    """Return accuracy and AUROC of each group with their intervals, under "groups"; {} without groups."""
    if predictions.groups is None or len(names := sorted({*predictions.groups} - {""})) > MAX_GROUPS:
        return {}
    groups, figures = np.array(predictions.groups, dtype=object), {}
    for name in names:
        own = groups == name
        labels, probabilities = predictions.labels[own], predictions.probabilities[own]
        found = evaluate(labels, probabilities, predictions.class_names, positive)
        figures[name] = {"images": int(own.sum()), **headline(found)}
    return {"groups": figures}
