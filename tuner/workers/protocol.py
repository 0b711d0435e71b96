"""The messages between driver and worker, as plain values that pickle, independent of the transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from tuner.data.dataset import Dataset
from tuner.training.compute import Compute, Precision
from tuner.training.heatmaps import Heatmaps
from tuner.training.task import EpochDone, FailureReason, LateHyperparameters, RungDone, StepsDone, TrainTask


class HyperModel(Protocol):
    """A search space that pickles; a `keras_tuner.HyperModel` is one.

    Optional members are `load()`, which imports the space; `hyperparameters()`, which returns a container for
    the build; `training(hp)`, which declares hyperparameters of the training and returns their names;
    `presets`, values by name; `unfold(declared)`, which returns the whole space and sentences about
    it for the user; and `notes(model, images)`, which returns more sentences.
    """

    def build(self, hp: Any) -> Any:
        """Return a compiled model; called in the worker."""


@dataclass(frozen=True)
class WorkerSetup:
    """Everything that a worker needs to start: the space and the data."""

    hypermodel: HyperModel
    dataset: Dataset


@dataclass(frozen=True)
class Describe:
    """Build the default model, run it on one batch, and describe the space.

    `precision` and `xla` are those of the request. `images` is the mean number of training images of a trial.
    """

    precision: Literal["auto"] | Precision
    xla: Literal["auto", "on", "off"]
    batch_size: int
    images: float
    trials: int


@dataclass(frozen=True)
class Unfold:
    """Build the model with other values, to find the hyperparameters that only these bring.

    `hyperparameters` are those of the description.
    """

    hyperparameters: dict[str, Any]


@dataclass(frozen=True)
class Member:
    """The best epoch of a trial: its configuration, and the folder with its weights."""

    values: dict[str, Any]
    checkpoint_dir: Path


@dataclass(frozen=True)
class FinishModel:
    """Make the model of one member, or the mean of several, and predict `split`, then `others`."""

    members: tuple[Member, ...]
    split: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explain:
    """Make heatmaps of a trial's best model for some images, with a class for each."""

    member: Member
    indices: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class LookAhead:
    """Build the probable next trial while another trains. This has no answer."""

    task: TrainTask


Request = Describe | Unfold | TrainTask | FinishModel | Explain


@dataclass(frozen=True)
class Ready:
    """The worker has loaded its backend and accepts requests."""

    backend: str  # of Keras
    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Description:
    """Answer to Describe."""

    hyperparameters: dict[str, Any]  # keras_tuner.HyperParameters.get_config()
    metrics: tuple[str, ...]  # as they are logged, validation under val_
    num_params: int
    compute: Compute
    code: dict[str, str]  # a hash of each file of the space
    training: tuple[str, ...] = ()  # names of the hyperparameters of the training
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Sentences about the space for the user, such as parts of it that a search does not use."""


@dataclass(frozen=True)
class WholeSpace:
    """Answer to Unfold: `keras_tuner.HyperParameters.get_config()`, and sentences about it for the user."""

    hyperparameters: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ModelDone:
    """Answer to FinishModel: class probabilities (n, num_classes), in the order of the split's indices."""

    model: bytes  # a .keras file
    probabilities: np.ndarray
    prediction_s: float  # seconds for all of them, with the model loaded and traced
    others: dict[str, np.ndarray] = field(default_factory=dict)  # probabilities of the other splits by name


@dataclass(frozen=True)
class Explained:
    """Answer to Explain; None for a model without heatmaps."""

    heat: Heatmaps | None


@dataclass(frozen=True)
class Failure:
    """The request failed."""

    trial_id: str | None
    reason: FailureReason
    message: str
    traceback: str


@dataclass(frozen=True)
class Lost:
    """The worker was ended from outside. Another one can continue its request from the checkpoint."""

    trial_id: str | None
    message: str


@dataclass(frozen=True)
class Halt:
    """No request can be done at all, for example because the storage is full."""

    message: str


TrialReport = LateHyperparameters | StepsDone | EpochDone | RungDone
Event = Ready | Description | WholeSpace | TrialReport | ModelDone | Explained | Failure | Lost | Halt


class Pool(Protocol):
    """Workers on this machine or elsewhere, numbered from 0."""

    looks_ahead: bool
    """True if a worker may build its next trial while it trains another."""

    def idle(self) -> list[int]:
        """Return the numbers of the workers without a request."""

    def place(self, number: int) -> str:
        """Return the name of a worker for the user, empty if it is the only one on this machine."""

    def submit(self, number: int, request: Request, limit_s: float | None = None) -> None:
        """Send a request to an idle worker, with a limit in seconds; `next_event` returns its answers."""

    def look_ahead(self, number: int, task: TrainTask) -> None:
        """Tell a worker that trains its probable next trial; this has no answer."""

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:
        """Wait for an event; return it with the number of its worker, or None after `timeout` seconds."""

    def ask(self, request: Request, limit_s: float | None = None) -> Event:
        """Let one worker do one request, within a limit in seconds; all workers must be idle."""

    def device(self) -> Ready:
        """Wait for a worker that has loaded its backend; return its description."""
