"""A user's own fit, which trains the trials: the hyperparameters it declares, and sentences about it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from tuner.spaces.configurations import Values
from tuner.training.fit_call import Fit, FitSettings, try_fit
from tuner.training.task import TrialError
from tuner.units import counted

# Images for a fit on samples, and their least number of each class.
SAMPLE_IMAGES, SAMPLES_OF_CLASS = 64, 2

_TRAINS = {
    # On a CPU, models of 233 and 121,985 parameters: 2.2 to 3.2 times on TensorFlow, 1.2 to 1.7 on JAX.
    "model.fit": (
        "The fit of the space trains the trials. An epoch takes up to three times as long.",
        "After an interruption, or when a rung gets more images, training continues, but the callbacks of "
        "fit start again. --retrain gives fit a part of the training images as validation_data.",
    ),
    "own loop": (
        "The training loop in fit trains the trials. Time limits and patience act after its epochs.",
        "After an interruption, a trial begins again. The tables show the batch_size given to fit, which may "
        "differ from the one it uses.",
    ),
    "own loop without callbacks": (
        "The training loop in fit calls no callbacks, so each trial counts as one epoch, and time limits, "
        "rungs and patience cannot stop it. Call on_epoch_end of the callbacks that fit gets.",
    ),
}


def sample_data(images: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images and class numbers for a fit on samples.

    Args:
        images: A few images (n, height, width, channels) of type uint8, which are repeated.
    """
    number = max(SAMPLE_IMAGES, SAMPLES_OF_CLASS * num_classes)
    return np.resize(images, (number, *images.shape[1:])), np.arange(number) % num_classes


def declared_on_samples(fit: Fit, hp: Any, model: Any, images: np.ndarray, num_classes: int) -> Values:
    """Let a fit declare its hyperparameters in `hp`, and return the values of those that are active.

    Its errors are for a try of its own to report.

    Args:
        images: As for `sample_data`.
    """
    before = active_in(hp)
    with suppress(TrialError):
        try_fit(fit, hp, model, *sample_data(images, num_classes))
    return {name: value for name, value in active_in(hp).items() if name not in before}


def active_in(hp: Any) -> Values:
    """Return the values of the active hyperparameters that a build, or a fit, has declared."""
    return {each.name: hp.values[each.name] for each in hp.space if hp.is_active(each)}


def fit_notes(found: FitSettings, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the user of a fit should know before a search.

    Args:
        asked: Settings of the training in the request, by name.
    """
    notes = [*_TRAINS[found.trains_by]]
    if found.epochs is not None:
        notes.append(
            f"fit trains for {counted(found.epochs, 'epoch')} by default. A trial ends after that, or after "
            "--max-epochs if that is fewer."
        )
    batch_size = asked.get("batch_size")
    if batch_size is not None and found.batch_size not in (None, batch_size):
        notes.append(f"--batch-size {batch_size} has no effect: fit sets {found.batch_size}.")
    if asked.get("class_weights") == "auto" and not found.takes_class_weights:
        notes.append("--class-weights auto has no effect: fit sets its own weights, or none.")
    return tuple(notes)
