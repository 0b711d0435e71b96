"""Predictions on images without labels."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tuner.data.image_paths import InputImage
from tuner.data.stream import DecodedImages, decode_stream
from tuner.errors import UsageError
from tuner.evaluation.evaluated_predictions import check_threshold
from tuner.models.loading import ModelFacts, TrainedModel
from tuner.sources.class_names import positive_class
from tuner.statistics.calibration import NOT_CONVERGED, at_temperature, predicted_classes

NOT_FINITE = "the model's output is no finite number"


class Prediction(NamedTuple):
    """The class of one image and the probabilities of all classes, or an error."""

    path: str
    prediction: str | None = None
    probabilities: tuple[float, ...] | None = None
    """In the order of the model's classes."""
    error: str | None = None


@dataclass(frozen=True)
class DecisionRule:
    """From the probabilities of a model to those that are shown, and from these to a class."""

    class_names: tuple[str, ...]
    positive: str | None = None
    """The class of the threshold, of two classes."""
    threshold: float | None = None
    """Least shown probability of the positive class, 0 to 1; None: the most probable class."""
    source: str = "default"
    """Who chose the threshold: "validation", "given" by the user, or nobody: "default"."""
    temperature: float | None = None
    """Of the calibration of the shown probabilities; None: they are those of the model."""

    def shown(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the probabilities to show for those of the model, both (n, num_classes)."""
        return probabilities if self.temperature is None else at_temperature(probabilities, self.temperature)

    def classes(self, shown: np.ndarray) -> np.ndarray:
        """Return class indices (n,) for probabilities (n, num_classes) as they are shown."""
        if self.positive is None or self.threshold is None:
            return predicted_classes(shown)
        column = self.class_names.index(self.positive)
        return np.where(shown[:, column] >= self.threshold, column, 1 - column)


def decision_rule(
    facts: ModelFacts, threshold: float | None = None, calibrated: bool = False
) -> DecisionRule:
    """Return the rule of a model: the choices made on validation images, or those of the user.

    The threshold of the validation images is for the probabilities of the model. Where calibrated ones are
    shown, the threshold is calibrated too, so that the decisions stay the same.

    Args:
        threshold: The user's own, 0 to 1, for the probabilities that are shown.
        calibrated: Show probabilities at the temperature fitted on validation images.

    Raises:
        UsageError: the model has no temperature, or the threshold is not allowed.
    """
    names, chosen = facts.class_names, facts.chosen
    if calibrated and not chosen.converged:
        raise UsageError(f"'{facts.name}': {NOT_CONVERGED}. Leave out --calibrated.")
    if calibrated and chosen.temperature is None:
        raise UsageError(
            f"'{facts.name}' has no temperature to calibrate with. Needed: a run, or a model exported from "
            "one, whose search fitted it on validation images. Leave out --calibrated."
        )
    positive = (facts.positive_class or positive_class(names)) if len(names) == 2 else None
    rule = DecisionRule(names, positive, temperature=chosen.temperature if calibrated else None)
    if threshold is not None:
        check_threshold(threshold, names)
        return replace(rule, threshold=threshold, source="given")
    if chosen.threshold is None or positive is None:
        return rule
    column = names.index(positive)
    own = np.full((1, 2), 1 - chosen.threshold)
    own[0, column] = chosen.threshold
    return replace(rule, threshold=float(rule.shown(own)[0, column]), source=chosen.source)


def predict_images(
    model: TrainedModel, images: Iterable[InputImage], rule: DecisionRule
) -> Generator[list[Prediction], None, None]:
    """Yield a prediction for each image, in their order, many at a time; the next are decoded meanwhile.

    An image that cannot be read becomes a prediction with an error.
    """
    with closing(decode_stream(images, model.image_format)) as stream:
        for decoded in stream:
            yield _predictions(model, decoded, rule)


def _predictions(model: TrainedModel, images: DecodedImages, rule: DecisionRule) -> list[Prediction]:
    found = [Prediction(path, error=text) for path, text in zip(images.paths, images.problems, strict=True)]
    count = len(images.pixels)
    if not count:
        return found
    own = model.predict(images.pixels, np.arange(count))
    finite = np.isfinite(own).all(axis=1)
    shown = rule.shown(np.where(finite[:, None], own, 1 / len(rule.class_names)))
    decoded = [i for i, problem in enumerate(images.problems) if problem is None]
    rows = zip(decoded, finite.tolist(), rule.classes(shown).tolist(), shown.tolist(), strict=True)
    for i, is_finite, index, row in rows:
        path = images.paths[i]
        named = Prediction(path, rule.class_names[index], tuple(row))
        found[i] = named if is_finite else Prediction(path, error=NOT_FINITE)
    return found
