"""Events that a search tells its listener, in the order in which they come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.config import SearchConfig
from tuner.data.dataset import Dataset
from tuner.results.schema import TrialRecord
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone, StepsDone
from tuner.tuning.plan import Plan
from tuner.workers.protocol import Description


@dataclass
class Tally:
    """Work of a search since it was begun or taken up, and the number of epochs that it reused."""

    images: int = 0
    train_s: float = 0.0
    epochs_s: float = 0.0
    """Seconds in training and validation steps, of all workers together."""
    known_epochs: int = 0

    def add(self, epoch: Epoch, known: bool) -> None:
        """Count an epoch."""
        if known:
            self.known_epochs += 1
        else:
            self.images += epoch.images
            self.train_s += epoch.train_s
            self.epochs_s += epoch.duration_s


@dataclass(frozen=True)
class Note:
    """A sentence for the user. A warning is shown even if the user wants no notes."""

    text: str
    is_warning: bool = False


@dataclass(frozen=True)
class Busy:
    """A step begins that takes some time."""

    text: str


@dataclass(frozen=True)
class BusyEnded:
    """The step is over."""


@dataclass(frozen=True)
class Progress:
    """Number of images done, and of all images, of the work named in `text`.

    With a total of 0, `done` is the number of files listed so far.
    """

    text: str
    done: int
    total: int


@dataclass(frozen=True)
class Prepared:
    """Data, workers and space are ready, before the first trial. `path` is None if there will be no trial."""

    config: SearchConfig
    dataset: Dataset
    device: str
    description: Description
    near_test_images: int
    path: Path | None = None


@dataclass(frozen=True)
class SearchStarted:
    """The trials begin. `trials` are those on record; `constants` have one value in all trials."""

    config: SearchConfig
    plan: Plan
    num_images: int
    trials: Sequence[TrialRecord]
    constants: Collection[str]


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins, or goes on, in a rung. Epochs counted from 0 done to `epochs` planned."""

    trial_id: str
    bracket: int
    rung: int
    initial_epoch: int
    epochs: int
    values: dict[str, Any]
    place: str = ""
    """The worker that trains it, and on a cluster its node."""


def started(trial: TrialRecord, place: str, initial_epoch: int, epochs: int) -> TrialStarted:
    """Return the event of a trial that starts at a place, and trains to `epochs` epochs in all."""
    return TrialStarted(trial.trial_id, trial.bracket, trial.rung, initial_epoch, epochs, trial.values, place)


@dataclass(frozen=True)
class RungEnded:
    """A trial finished its rung, failed in it, or was stopped. `skipped` planned epochs were not needed."""

    trial: TrialRecord
    skipped: int
    is_best: bool


@dataclass(frozen=True)
class SearchEnded:
    """All trials are over."""


@dataclass(frozen=True)
class WinnerEvaluated:
    """The run is finished. `elapsed_s` is the time since it was begun or taken up."""

    tally: Tally
    workers: int
    elapsed_s: float


TrialEvent = TrialStarted | StepsDone | EpochDone | RungEnded
Event = (
    Note | Busy | BusyEnded | Progress | Prepared | SearchStarted | TrialEvent | SearchEnded | WinnerEvaluated
)
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""


@contextmanager
def busy(listener: Listener, text: str) -> Iterator[None]:
    """Tell a listener that a step takes some time."""
    listener(Busy(text))
    try:
        yield
    finally:
        listener(BusyEnded())


def noted(listener: Listener) -> Callable[[str], None]:
    """Return the function that tells a listener a sentence on images that are evaluated."""
    return lambda text: listener(Note(f"Note       {text}"))


def progress(listener: Listener, text: str = "reading images") -> Callable[[int, int], None]:
    """Return the function that tells a listener the progress of a work, as numbers of images."""
    return lambda done, total: listener(Progress(text, done, total))
