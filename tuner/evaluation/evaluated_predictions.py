"""A model judged on labelled images, fresh from the model or from a file of its predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.layout import generated_class
from tuner.errors import UsageError
from tuner.evaluation.labelled_images import LabelledImages
from tuner.evaluation.predictions import Predictions, read_predictions
from tuner.models.loading import TrainedModel
from tuner.results.schema import EVALUATION_FILE, PREDICTIONS_FILE
from tuner.statistics.intervals import wilson_interval
from tuner.statistics.metrics import chosen_before, evaluate
from tuner.statistics.significance import ALPHA, mcnemar, p_text
from tuner.statistics.thresholds import NOTHING_CHOSEN, Chosen, choose_on_validation


@dataclass(frozen=True)
class Judged:
    """Predictions, and what it takes to turn them into figures."""

    predictions: Predictions
    positive: str | None
    chosen: Chosen = NOTHING_CHOSEN
    facts: dict[str, Any] = field(default_factory=dict)
    """Which model, which images: the head of evaluation.json."""

    def evaluation(self) -> dict[str, Any]:
        """Return what evaluation.json holds."""
        found = self.predictions
        figures = evaluate(
            found.labels, found.probabilities, found.class_names, self.positive, self.chosen, found.seen
        )
        return {**self.facts, **figures}

    def at(self, threshold: float | None, positive: str | None) -> Judged:
        """Return the same with a threshold or a positive class that the user gives instead.

        Raises:
            UsageError: there is no such class, or the threshold is out of bounds or one of several classes.
        """
        names = self.predictions.class_names
        judged = self
        if positive is not None and positive != self.positive:
            if positive not in names:
                raise UsageError(
                    f"positive class '{positive}' is no class of the model. Allowed: {', '.join(names)}."
                )
            # A threshold on one of two classes is one on the other too.
            before = self.chosen.threshold
            mirrored = None if before is None else 1 - before
            judged = replace(self, positive=positive, chosen=replace(self.chosen, threshold=mirrored))
        if threshold is None:
            return judged
        if not 0 <= threshold <= 1:
            raise UsageError(f"threshold {threshold} is no probability. Allowed: 0 to 1. Choose another.")
        if len(names) != 2:
            raise UsageError(
                f"a threshold is for two classes, and the model has {len(names)}. Leave out --threshold."
            )
        return replace(judged, chosen=replace(judged.chosen, threshold=threshold, source="given"))


def judge(model: TrainedModel, images: LabelledImages) -> Judged:
    """Let a model predict images; what was chosen for it on validation goes with it.

    A model from before anything was chosen gets it now where that can be done: on the validation split of the
    data it was trained on.
    """
    facts, dataset = model.facts, images.dataset
    chosen = facts.chosen
    positive = facts.positive_class or positive_class(facts.class_names)
    head: dict[str, Any] = {"model": facts.name}
    known = facts.trained_on
    unseen = images.own and known is not None and not known.with_validation
    if (
        chosen.temperature is None
        and chosen.converged
        and unseen
        and dataset.class_names == facts.class_names
    ):
        validation = dataset.splits["validation"]
        column = None if positive is None else facts.class_names.index(positive)
        chosen = choose_on_validation(
            dataset.labels[validation], model.predict(dataset.images, validation), column
        )
        head["chosen_now_on"] = len(validation)
    if known is not None and known.with_validation:
        head["trained_on_validation"] = True
    probabilities = model.predict(dataset.images, images.indices)
    head |= {
        "data": dataset.source,
        "data_fingerprint": dataset.fingerprint,
        "split": images.split,
        "classes_of_data": {
            dataset.class_names[old]: facts.class_names[new]
            for old, new in sorted(set(zip(dataset.labels[images.indices], images.labels, strict=True)))
        },
        "seen_in_training": images.seen,
    }
    return Judged(images.predictions(probabilities), positive, chosen, head)


def judged_before(path: Path) -> Judged:
    """Return what a file of predictions says, with what evaluation.json beside it says was chosen.

    The latter is heeded for the file of that name alone: of others, such as the predictions of the validation
    images, it does not speak.

    Raises:
        UsageError: the file cannot be read or makes no sense.
    """
    predictions = read_predictions(path)
    names = predictions.class_names
    facts: dict[str, Any] = {"predictions": str(path)}
    beside = path.with_name(EVALUATION_FILE)
    if path.name == PREDICTIONS_FILE and beside.is_file():
        before = _evaluation(beside)
        if (before.get("class_names"), before.get("images")) == (list(names), len(predictions.paths)):
            facts["chosen_in"] = str(beside)
            return Judged(predictions, before.get("positive_class"), chosen_before(before), facts)
    return Judged(predictions, positive_class(names), NOTHING_CHOSEN, facts)


def positive_class(class_names: Sequence[str]) -> str | None:
    """Return the class of generated images of two classes, else the second; None of more than two."""
    return (generated_class(class_names) or class_names[1]) if len(class_names) == 2 else None


def compared(name: str, judged: Judged, other_name: str, right: np.ndarray) -> dict[str, Any]:
    """Return how two models differ on the same images, each taking its most probable class.

    Args:
        right: For each image, in the order of the first, whether the other is right, of shape (n,), boolean.
    """
    test = mcnemar(judged.predictions.right, right)
    better = name if test.only_first > test.only_second else other_name
    verdict = f"{better} is better" if test.p_value < ALPHA else "no difference to be seen"
    correct = int(right.sum())
    return {
        "other": other_name,
        "accuracy": correct / test.images,
        "accuracy_interval_95": list(wilson_interval(correct, test.images)),
        "only_this_right": test.only_first,
        "only_other_right": test.only_second,
        "test": test.test,
        "p_value": test.p_value,
        "verdict": f"{verdict}, {p_text(test.p_value)}",
    }


def right_in_order(predictions: Predictions, other: Predictions, name: str) -> np.ndarray:
    """Return whether the other, of this name, is right on each image, in the order of the first, shape (n,).

    Raises:
        UsageError: the images, or the names of their classes, are not the same.
    """
    places = {path: number for number, path in enumerate(other.paths)}
    if len(places) != len(other.paths) or set(places) != set(predictions.paths):
        shared = len(set(places) & set(predictions.paths))
        raise UsageError(
            f"'{name}' is about other images: of {len(predictions.paths):,}, {shared:,} are among its "
            f"{len(other.paths):,}. Needed: the same images for both models. Predict them with both."
        )
    order = [places[path] for path in predictions.paths]
    of_other = [other.class_names[label] for label in other.labels[order]]
    if of_other != [predictions.class_names[label] for label in predictions.labels]:
        raise UsageError(
            f"'{name}' has other labels for the same images. Needed: the same for both models. "
            "Predict them with both."
        )
    return other.right[order]


def _evaluation(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
