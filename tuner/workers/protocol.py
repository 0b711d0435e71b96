"""What driver and worker say to each other. Plain values that pickle; nothing here knows how they travel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from tuner.data.dataset import Dataset
from tuner.training.compute import Compute, Precision
from tuner.training.heatmaps import Heatmaps
from tuner.training.task import EpochDone, FailureReason, RungDone, StepsDone, TrainTask


class HyperModel(Protocol):
    """A search space that pickles; a `keras_tuner.HyperModel` is one.

    It may have more, which is asked for: `hyperparameters()`, to declare it in; `training(hp)`, that declares
    hyperparameters of the training and returns their names; `presets`, values by name.
    """

    def build(self, hp: Any) -> Any:
        """Return a compiled model; called in the worker."""


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker knows from the start: the space and the data."""

    hypermodel: HyperModel
    dataset: Dataset


@dataclass(frozen=True)
class Describe:
    """Build the default model, try it on one batch, and tell what there is.

    `precision` and `xla` are as in the request of the search; `images` is what each of its trials trains on,
    on average.
    """

    precision: Literal["auto"] | Precision
    xla: Literal["auto", "on", "off"]
    batch_size: int
    images: float
    trials: int


@dataclass(frozen=True)
class Member:
    """The best epoch of a trial: its configuration, and the folder with its weights."""

    values: dict[str, Any]
    checkpoint_dir: Path


@dataclass(frozen=True)
class FinishModel:
    """Make a model and predict one split with it, and `others` after that.

    It is that of the one member, or the mean of several.
    """

    members: tuple[Member, ...]
    split: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explain:
    """Tell what a trial's best model looked at in some images, for a class each."""

    member: Member
    indices: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class LookAhead:
    """Get ready for a trial while another trains; a hint, which has no answer."""

    task: TrainTask


Request = Describe | TrainTask | FinishModel | Explain


@dataclass(frozen=True)
class Ready:
    """The worker has loaded its backend and takes requests."""

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
    code: dict[str, str]  # a hash of each file that the space is made of
    training: tuple[str, ...] = ()  # those of the hyperparameters that are the training's
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelDone:
    """Answer to FinishModel: class probabilities (n, num_classes), in the order of the split's indices."""

    model: bytes  # a .keras file
    probabilities: np.ndarray
    prediction_s: float  # seconds for all of them, with the model loaded and traced
    others: dict[str, np.ndarray] = field(default_factory=dict)  # the same of the other splits, by name


@dataclass(frozen=True)
class Explained:
    """Answer to Explain; None of a model that has no maps."""

    heat: Heatmaps | None


@dataclass(frozen=True)
class Failure:
    """The request failed, for a reason of its own."""

    trial_id: str | None
    reason: FailureReason
    message: str
    traceback: str


@dataclass(frozen=True)
class Lost:
    """The worker was ended from outside; what it was asked can go on elsewhere, from its checkpoint."""

    trial_id: str | None
    message: str


@dataclass(frozen=True)
class Halt:
    """Nothing is wrong with the request, but no request can be done: the storage is full, say."""

    message: str


Event = Ready | Description | StepsDone | EpochDone | RungDone | ModelDone | Explained | Failure | Lost | Halt


class Pool(Protocol):
    """Workers, numbered from 0, wherever they are."""

    looks_ahead: bool
    """True where a worker may get ready for its next trial while it trains another."""

    def idle(self) -> list[int]:
        """Numbers of the workers that wait for a request."""

    def place(self, number: int) -> str:
        """Name a worker as the user is to know it; empty where there is only one, on this machine."""

    def submit(self, number: int, request: Request, limit_s: float | None = None) -> None:
        """Hand a request to an idle worker, which has `limit_s` seconds; `next_event` brings the answers."""

    def look_ahead(self, number: int, task: TrainTask) -> None:
        """Tell a worker that trains what it will probably be asked next; nothing is answered."""

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:
        """Wait for the next event and the worker it comes from; None after `timeout` seconds of silence."""

    def ask(self, request: Request) -> Event:
        """Let one worker do one request to its end and return the answer; all workers must be idle."""

    def device(self) -> Ready:
        """Wait for a worker that has loaded its backend; return what it says of itself."""
