"""Sentences about a user's own fit, which trains the trials of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.training.fit_call import FitSettings

_TRAINS = {
    # On a CPU, models of 233 and 121,985 parameters: 2.2 to 3.2 times on TensorFlow, 1.2 to 1.7 on JAX.
    "model.fit": (
        "Its own fit trains the trials; an epoch takes up to three times as long as without it. After an "
        "interruption, or where a rung has more images, the weights, the optimizer and the epochs go on, but "
        "the callbacks of fit begin anew. In --retrain, its validation_data are some of the training images."
    ),
    "own loop": (
        "The training loop in its fit trains the trials. After an interruption a trial begins again; time "
        "limits and patience act after its epochs. Tables show the batch_size that fit is given."
    ),
    "own loop without callbacks": (
        "The training loop in its fit trains the trials, each as one epoch, since it calls no callbacks: no "
        "time limit, rung or patience ends a trial before. Call on_epoch_end of the callbacks it is given."
    ),
}


def fit_notes(found: FitSettings, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the user of a fit should know before a search.

    Args:
        asked: Settings of the training in the request, by name.
    """
    notes = [_TRAINS[found.trains_by]]
    if found.epochs is not None:
        notes.append(
            f"Its fit sets the number of epochs, {found.epochs} by default: a trial ends after them, "
            "or after --max-epochs if that is less."
        )
    batch_size = asked.get("batch_size")
    if batch_size is not None and found.batch_size not in (None, batch_size):
        notes.append(f"--batch-size {batch_size} has no effect: its fit sets {found.batch_size}.")
    if asked.get("class_weights") == "auto" and not found.takes_class_weights:
        notes.append("--class-weights auto has no effect: its fit sets its own weights, or none.")
    return tuple(notes)
