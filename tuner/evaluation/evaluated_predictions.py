"""Predictions on labelled images with the threshold and temperature that turn them into figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tuner.errors import UsageError, did_you_mean
from tuner.evaluation.group_figures import group_figures
from tuner.evaluation.labelled_images import LabelledImages
from tuner.evaluation.predictions import Predictions, read_predictions
from tuner.models.loading import TrainedModel
from tuner.results.checked_json import require_intact
from tuner.results.evaluation_file import read_evaluation
from tuner.results.schema import EVALUATION_FILE, PREDICTIONS_FILE
from tuner.sources.class_names import positive_class
from tuner.statistics.intervals import wilson_interval
from tuner.statistics.metrics import chosen_before, evaluate
from tuner.statistics.significance import ALPHA, mcnemar, p_text
from tuner.statistics.thresholds import NOTHING_CHOSEN, Chosen
from tuner.units import listed


@dataclass(frozen=True)
class EvaluatedPredictions:
    """Predictions on labelled images, with the positive class and the choices made on validation images."""

    predictions: Predictions
    positive: str | None
    chosen: Chosen = NOTHING_CHOSEN
    facts: dict[str, Any] = field(default_factory=dict)
    """The model and the images: the first keys of evaluation.json."""

    def evaluation(self) -> dict[str, Any]:
        """Return the content of evaluation.json."""
        found = self.predictions
        figures = evaluate(
            found.labels, found.probabilities, found.class_names, self.positive, self.chosen, found.seen
        )
        return {**self.facts, **figures, **group_figures(found, self.positive)}

    def override(self, threshold: float | None, positive: str | None) -> EvaluatedPredictions:
        """Return the same with the threshold or the positive class of the user; None changes nothing.

        Raises:
            UsageError: the class does not exist, or the threshold is not allowed.
        """
        names, chosen = self.predictions.class_names, self.chosen
        if positive is not None and positive != self.positive:
            if positive not in names:
                raise UsageError(
                    f"positive class '{positive}' is no class of the model.{did_you_mean(positive, names)} "
                    f"Allowed: {listed(names)}."
                )
            if chosen.threshold is not None:
                # p >= t for one of two classes is p <= 1 - t for the other.
                chosen = replace(chosen, threshold=1 - chosen.threshold)
        if threshold is not None:
            check_threshold(threshold, names)
            chosen = replace(chosen, threshold=threshold, source="given")
        return replace(self, positive=positive or self.positive, chosen=chosen)


def check_threshold(threshold: float, class_names: Sequence[str]) -> None:
    """Check the threshold of the user.

    Raises:
        UsageError: it is out of bounds, or the model does not have two classes.
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold {threshold} is no probability. Allowed: 0 to 1. Choose another.")
    if len(class_names) != 2:
        raise UsageError(
            f"a threshold is for two classes, and the model has {len(class_names)}. Leave out --threshold."
        )


def evaluate_model(model: TrainedModel, images: LabelledImages) -> EvaluatedPredictions:
    """Return the predictions of a model on images, with the choices made for it on validation images."""
    facts, dataset = model.facts, images.dataset
    with_validation = facts.trained_on is not None and facts.trained_on.with_validation
    head = {
        "model": facts.name,
        **({"trained_on_validation": True} if with_validation else {}),
        "data": dataset.source,
        "data_fingerprint": dataset.fingerprint,
        "split": images.split,
        "classes_of_data": {
            dataset.class_names[old]: facts.class_names[new]
            for old, new in sorted(set(zip(dataset.labels[images.indices], images.labels, strict=True)))
        },
        "seen_in_training": images.seen,
    }
    predictions = images.predictions(model.predict(dataset.images, images.indices))
    positive = facts.positive_class or positive_class(facts.class_names)
    return EvaluatedPredictions(predictions, positive, facts.chosen, head)


def read_evaluated_predictions(path: Path) -> EvaluatedPredictions:
    """Read a file of predictions, with the choices in the evaluation.json beside it.

    That evaluation describes the file `predictions.csv` only; other files have no choices.

    Raises:
        UsageError: the file cannot be read or makes no sense.
        StorageError: the evaluation is damaged, or is that of other predictions.
    """
    predictions = read_predictions(path)
    names = predictions.class_names
    facts: dict[str, Any] = {"predictions": str(path)}
    if path.name == PREDICTIONS_FILE:
        beside = path.with_name(EVALUATION_FILE)
        before = read_evaluation(path.parent) or {}
        if before:
            require_intact(path, before)
        if (before.get("class_names"), before.get("images")) == (list(names), len(predictions.paths)):
            facts["chosen_in"] = str(beside)
            return EvaluatedPredictions(
                predictions, before.get("positive_class"), chosen_before(before), facts
            )
    return EvaluatedPredictions(predictions, positive_class(names), facts=facts)


def compare_predictions(
    name: str, evaluated: EvaluatedPredictions, other_name: str, correct: np.ndarray
) -> dict[str, Any]:
    """Return the difference of two models on the same images, with the most probable class of each.

    Args:
        correct: Whether the other model is right on each image, in the order of the first, of shape (n,),
            boolean.
    """
    test = mcnemar(evaluated.predictions.right, correct)
    better = name if test.only_first > test.only_second else other_name
    verdict = f"{better} is better" if test.p_value < ALPHA else "no difference to be seen"
    count = int(correct.sum())
    return {
        "other": other_name,
        "accuracy": count / test.images,
        "accuracy_interval_95": list(wilson_interval(count, test.images)),
        "only_this_right": test.only_first,
        "only_other_right": test.only_second,
        "test": test.test,
        "p_value": test.p_value,
        "verdict": f"{verdict}, {p_text(test.p_value)}",
    }


def correct_in_order(predictions: Predictions, other: Predictions, name: str) -> np.ndarray:
    """Return whether the other model is right on each image, in the order of `predictions`, of shape (n,).

    Args:
        name: Of the other model, for errors.

    Raises:
        UsageError: the images, or the names of their classes, are not the same.
    """
    places = {path: number for number, path in enumerate(other.paths)}
    shared = places.keys() & set(predictions.paths)
    if not len(shared) == len(places) == len(other.paths) == len(set(predictions.paths)):
        raise UsageError(
            f"'{name}' is about other images: of {len(predictions.paths):,}, {len(shared):,} are among its "
            f"{len(other.paths):,}. Needed: the same images for both models. Predict them with both."
        )
    order = [places[path] for path in predictions.paths]
    labels, other_labels = (np.array(each.class_names)[each.labels] for each in (predictions, other))
    if not np.array_equal(labels, other_labels[order]):
        raise UsageError(
            f"'{name}' has other labels for the same images. Needed: the same for both models. "
            "Predict them with both."
        )
    return other.right[order]
