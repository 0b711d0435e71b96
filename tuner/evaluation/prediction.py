"""What a model says of images that nobody has labelled."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tuner.data.decoding import Format
from tuner.data.image_paths import InputImage
from tuner.data.stream import DecodedImages, decode_stream
from tuner.errors import UsageError
from tuner.evaluation.evaluated_predictions import positive_class
from tuner.models.loading import ModelFacts, TrainedModel
from tuner.statistics.calibration import NOT_CONVERGED, at_temperature, predicted_classes

NOT_FINITE = "the model's output is no finite number"


class Prediction(NamedTuple):
    """One image: a class with the probabilities of all, or an error."""

    path: str
    prediction: str | None = None
    probabilities: tuple[float, ...] | None = None
    """In the order of the model's classes."""
    error: str | None = None


@dataclass(frozen=True)
class Rule:
    """How probabilities of a model become those that are shown, and these a class."""

    class_names: tuple[str, ...]
    positive: str | None = None
    """Of two classes, the one that a threshold is on."""
    threshold: float | None = None
    """On the shown probability of the positive class, which it takes from there on; None: the most probable
    class."""
    source: str = "default"
    """Who chose the threshold: "validation", "given" by the user, or nobody: "default"."""
    temperature: float | None = None
    """What the shown probabilities are calibrated with; None: they are the model's own."""

    def shown(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the probabilities to show for a model's own, both (n, num_classes)."""
        return probabilities if self.temperature is None else at_temperature(probabilities, self.temperature)

    def classes(self, shown: np.ndarray) -> np.ndarray:
        """Return class indices (n,) for probabilities (n, num_classes) as they are shown."""
        if self.positive is None or self.threshold is None:
            return predicted_classes(shown)
        column = self.class_names.index(self.positive)
        return np.where(shown[:, column] >= self.threshold, column, 1 - column)


def decision_rule(facts: ModelFacts, threshold: float | None = None, calibrated: bool = False) -> Rule:
    """Return how a model's probabilities are read: as chosen on validation, unless the user says otherwise.

    The threshold chosen there is on the model's own probabilities. Where calibrated ones are shown it moves
    with them, so that it decides the same.

    Args:
        threshold: The user's own, 0 to 1, on the probabilities that are shown.
        calibrated: Show probabilities at the temperature fitted on validation images.

    Raises:
        UsageError: the model has no temperature, or the threshold is out of bounds or one of several classes.
    """
    names, chosen = facts.class_names, facts.chosen
    temperature = chosen.temperature if calibrated else None
    if calibrated and not chosen.converged:
        raise UsageError(f"'{facts.name}': {NOT_CONVERGED}. Leave out --calibrated.")
    if calibrated and temperature is None:
        raise UsageError(
            f"'{facts.name}' has no temperature to calibrate with. Needed: a run, or a model exported from "
            "one, whose search fitted it on validation images. Leave out --calibrated."
        )
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"threshold {threshold} is no probability. Allowed: 0 to 1. Choose another.")
    if len(names) != 2:
        if threshold is not None:
            raise UsageError(
                f"a threshold is for two classes, and the model has {len(names)}. Leave out --threshold."
            )
        return Rule(names, temperature=temperature)
    positive = facts.positive_class or positive_class(names)
    if threshold is not None:
        return Rule(names, positive, threshold, "given", temperature)
    if chosen.threshold is None or positive is None:
        return Rule(names, positive, temperature=temperature)
    column = names.index(positive)
    own = np.full((1, 2), 1 - chosen.threshold)
    own[0, column] = chosen.threshold
    rule = Rule(names, positive, source=chosen.source, temperature=temperature)
    return Rule(names, positive, float(rule.shown(own)[0, column]), chosen.source, temperature)


def predict_images(
    model: TrainedModel, images: Iterable[InputImage], rule: Rule
) -> Generator[list[Prediction], None, None]:
    """Yield a prediction for each image, in their order, many at a time; the next are decoded meanwhile.

    An image that cannot be read becomes a prediction with an error.
    """
    size, _, channels = model.image_shape
    with closing(decode_stream(images, Format(size, channels))) as stream:
        for decoded in stream:
            yield _predictions(model, decoded, rule)


def _predictions(model: TrainedModel, images: DecodedImages, rule: Rule) -> list[Prediction]:
    count = len(images.pixels)
    if not count:
        return [
            Prediction(path, error=problem)
            for path, problem in zip(images.paths, images.problems, strict=True)
        ]
    own = model.predict(images.pixels, np.arange(count))
    finite = np.isfinite(own).all(axis=1)
    shown = rule.shown(np.where(finite[:, None], own, 1 / len(rule.class_names)))
    rows = zip(finite.tolist(), rule.classes(shown).tolist(), shown.tolist(), strict=True)
    found = []
    for path, problem in zip(images.paths, images.problems, strict=True):
        if problem is not None:
            found.append(Prediction(path, error=problem))
            continue
        is_finite, index, row = next(rows)
        if is_finite:
            found.append(Prediction(path, rule.class_names[index], tuple(row)))
        else:
            found.append(Prediction(path, error=NOT_FINITE))
    return found
