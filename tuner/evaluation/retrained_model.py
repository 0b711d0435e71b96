"""Retraining of the best configurations of a run: trains the missing models and returns the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.config import make_config
from tuner.data.dataset import Dataset
from tuner.errors import InterruptedRunError
from tuner.evaluation.retraining import Event, SeededTrial, retrain, seeded_trials, summarize
from tuner.evaluation.run_images import run_images
from tuner.models.run_model import RunModel
from tuner.results.evaluation_file import read_evaluation
from tuner.results.query import reference
from tuner.tuning import events
from tuner.tuning.budget import Budget
from tuner.tuning.events import Note, noted, progress
from tuner.tuning.trusted_run import TrustedRun
from tuner.tuning.workers import workers_again
from tuner.units import counted


@dataclass(frozen=True)
class Retraining:
    """A request to retrain the best configurations of a run."""

    seeds: int = 3
    """Number of seeds for each configuration, 1 or more."""
    top: int = 1
    """Number of configurations, the best by validation score, 1 or more."""
    max_time: str | None = None
    """Time for all models together from now on, e.g. `2h`; default: no limit."""
    data: str | None = None
    """Place of the images now; default: their place during the search."""
    accept_changed_code: bool = False
    """Whether to train with code of the search space that changed since the search."""
    trust: bool = False
    """Whether the user trusts a run of somebody else, for the command that goes on."""


@dataclass(frozen=True)
class RetrainingStarted:
    """The training begins. `wanted` are all models of the request, also those that are trained already."""

    wanted: Sequence[SeededTrial]


Listener = Callable[[events.Event | RetrainingStarted | Event], None]


def retrained_model(
    run: TrustedRun, request: Retraining, listener: Listener
) -> tuple[dict[str, Any], RunModel]:
    """Train the models that are missing; return the summary, and the model of the best trial's first seed.

    Raises:
        UsageError: the request makes no sense.
        TunerError: a model cannot be trained, or the time is over before the first epoch.
        DataError: the images are gone, or are others by now.
        InterruptedRunError: it was interrupted; finished models are saved.
    """
    budget = Budget(make_config({"max_time": request.max_time}), spent_s=0.0, spent_epochs=0)
    wanted = seeded_trials(run, request.seeds, request.top)
    again = f"tuner best {reference(run.path)} --retrain --seeds {request.seeds} --top {request.top}"
    if request.accept_changed_code:
        again += " --accept-changed-code"
    if request.trust:
        again += " --trust"
    if any(each.evaluation() is None for each in wanted):
        dataset = run_images(run, request.data, progress(listener), noted(listener))
        dataset = dataset.with_validation_in_training()
        try:
            with workers_again(run, dataset, request.accept_changed_code, "retraining", listener) as pool:
                listener(Note(_announcement(wanted, dataset)))
                listener(RetrainingStarted(wanted))
                for event in retrain(run, dataset, pool, wanted, budget):
                    listener(event)
        except KeyboardInterrupt:
            raise InterruptedRunError(
                f"interrupted; what is trained is saved. Continue with: {again}"
            ) from None
    summary = summarize(run, wanted)
    finished = sum(each.evaluation() is not None for each in wanted)
    if finished < len(wanted):
        done = f"{finished} of {counted(len(wanted), 'model')}"
        listener(Note(f"out of time, {done} trained to the end. Go on with: {again}"))
    best = summary["trials"][0]
    folder = Path(best["seeds"][0]["folder"])
    facts = {
        "images": summary["trained_on"]["images"],
        "epochs": best["epochs"],
        "planned_epochs": best["planned_epochs"],
        "seed": best["seeds"][0]["seed"],
        "seeds": [each["seed"] for each in best["seeds"]],
        "figures": best["figures"],
    }
    evaluation = read_evaluation(run.path / folder)
    assert evaluation is not None
    return summary, RunModel(run, (wanted[0].trial,), evaluation, folder, facts)


def _announcement(wanted: Sequence[SeededTrial], dataset: Dataset) -> str:
    epochs = {each.trial.trial_id: each.epochs for each in wanted}
    trials = ", ".join(f"trial {name} for {counted(number, 'epoch')}" for name, number in epochs.items())
    seeds = dict.fromkeys(str(each.seed) for each in wanted)
    return (
        f"Training {trials}, with seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}, on "
        f"{len(dataset.splits['train']):,} images: train and validation together"
    )
