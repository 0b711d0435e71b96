"""Build, train and checkpoint one trial; restore the winner."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tuner.config import Direction
from tuner.data.dataset import Dataset
from tuner.errors import TunerError
from tuner.training.checkpoint import (
    Epoch,
    Metrics,
    Progress,
    load_best,
    restore_state,
    save_best,
    save_state,
)
from tuner.training.loop import Loop, make_loop
from tuner.training.pipeline import epoch_order

FailureReason = Literal["build", "nan", "oom", "crash", "timeout", "data"]


@dataclass(frozen=True)
class Objective:
    """The metric that ranks trials, and whether less or more of it is better."""

    name: str
    direction: Direction

    def better(self, value: float, than: float | None) -> bool:
        """True where `value` is finite and beats `than` (None: anything does)."""
        if not math.isfinite(value):
            return False
        return than is None or (value > than if self.direction == "max" else value < than)

    def best_epoch(self, history: tuple[Epoch, ...]) -> int | None:
        """Number, from 1, of the first epoch with the best value; None where no value is finite."""
        best: int | None = None
        for number, epoch in enumerate(history, start=1):
            than = None if best is None else history[best - 1].metrics[self.name]
            if self.better(epoch.metrics[self.name], than):
                best = number
        return best


@dataclass(frozen=True)
class TrainTask:
    """Train one trial until it has `epochs` epochs behind it, from where its checkpoint stands.

    `epochs_reported` are known to the driver; a checkpoint may be ahead of them, never behind unless damaged.
    """

    trial_id: str
    values: dict[str, Any]
    rung: int
    epochs: int
    batch_size: int
    patience: int
    objective: Objective
    seed: int
    checkpoint_dir: Path
    epochs_reported: int = 0
    deadline: float | None = None  # time.time() after which no step is begun


@dataclass(frozen=True)
class StepsDone:
    """Images trained in the epoch under way, of how many."""

    trial_id: str
    epoch: int
    done: int
    total: int


@dataclass(frozen=True)
class EpochDone:
    """One finished epoch, its metrics with validation under `val_`; the checkpoint holds it already.

    `duration_s` is the time of the whole epoch, `train_s` that of its training steps over `images` images.
    """

    trial_id: str
    rung: int
    epoch: int
    metrics: Metrics
    duration_s: float
    train_s: float
    images: int


@dataclass(frozen=True)
class RungDone:
    """A trial has what its rung asked for, stopped by itself, or ran into the deadline.

    `overhead_s` is time that went into no finished epoch: build, trace, an epoch that the deadline cut off.
    """

    trial_id: str
    rung: int
    epochs: int
    stopped_early: bool
    timed_out: bool
    num_params: int
    overhead_s: float


class TrialError(Exception):
    """A trial failed for a reason of its own; the search goes on."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _DeadlineError(Exception):
    pass


def build_model(hypermodel: Any, values: dict[str, Any], dataset: Dataset, hp: Any = None) -> Any:
    """Build one configuration and check that it can be trained on the data set.

    Args:
        hp: The `HyperParameters` that the build declares itself in; default: a new one.

    Raises:
        TrialError: build raised, or gave no compiled Keras model with an output per class.
    """
    import keras
    import keras_tuner as kt

    hp = kt.HyperParameters() if hp is None else hp
    hp.values = dict(values)
    num_classes = len(dataset.class_names)
    try:
        model = hypermodel.build(hp)
        if isinstance(model, keras.Model) and not model.built:
            model.build((None, *dataset.image_shape))
    except TunerError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        message = f"the search space raised {type(error).__name__}: {first_line(error)}{_place(error)}"
        raise TrialError("build", message) from error
    if not isinstance(model, keras.Model):
        raise TrialError(
            "build", f"build returned {type(model).__name__}, not a keras.Model. End it with `return model`."
        )
    if not model.compiled or model.optimizer is None or model.loss is None:
        raise TrialError(
            "build", "the model is not compiled with a loss. Call model.compile(optimizer, loss, metrics)."
        )
    try:
        inputs = keras.KerasTensor((None, *dataset.image_shape), "uint8")
        shape = keras.tree.map_structure(lambda output: output.shape, model.compute_output_spec(inputs))
    except Exception as error:
        raise TrialError(
            "build", f"the model takes no images of shape {dataset.image_shape}: {first_line(error)}"
        ) from error
    if isinstance(shape, dict | list):
        raise TrialError("build", f"the model has {len(shape)} output layers. Give it one.")
    outputs = shape[-1]
    if outputs != num_classes and not (num_classes == 2 and outputs == 1):
        raise TrialError("build", f"the model has {outputs} outputs for {num_classes} classes.")
    return model


def is_out_of_memory(error: BaseException) -> bool:
    """True for what Python, TensorFlow, PyTorch and JAX raise when memory, of host or device, runs out."""
    name = type(error).__name__
    return (
        isinstance(error, MemoryError)
        or name in ("ResourceExhaustedError", "OutOfMemoryError")
        or (name in ("XlaRuntimeError", "JaxRuntimeError") and "RESOURCE_EXHAUSTED" in str(error))
    )


def first_line(error: BaseException) -> str:
    """The line of an error's text that tells most: the first, or the last where TensorFlow quotes code."""
    lines = str(error).strip().splitlines() or ["no message"]
    return lines[-1 if lines[0].startswith("in user code") else 0].strip()


def _place(error: BaseException) -> str:
    """Where in the user's own code an error comes from, as ' (file, line n)'; empty where there is none."""
    own = Path(__file__).parents[1]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and own not in Path(frame.filename).parents
    ]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def train(
    task: TrainTask, hypermodel: Any, dataset: Dataset, emit: Callable[[StepsDone | EpochDone], None]
) -> RungDone:
    """Train one rung of a trial and report each epoch.

    The weights after n epochs depend on the task's values and seed alone, not on how often training was
    stopped and continued in between.

    Raises:
        TrialError: the trial cannot be built, or its loss is not finite.
    """
    import keras

    start = time.perf_counter()
    keras.utils.clear_session()
    keras.utils.set_random_seed(task.seed)
    model = build_model(hypermodel, task.values, dataset)
    progress = restore_state(task.checkpoint_dir, model)
    loop = make_loop(model, dataset.images, dataset.labels)
    num_images = len(dataset.splits["train"])

    def report(epoch: int) -> float:
        done = progress.history[epoch - 1]
        emit(
            EpochDone(
                task.trial_id, task.rung, epoch, done.metrics, done.duration_s, done.train_s, num_images
            )
        )
        return done.duration_s

    # Epochs that were saved, but of which the driver never heard.
    for epoch in range(task.epochs_reported + 1, progress.epochs + 1):
        report(epoch)
    in_epochs_s, timed_out = 0.0, False
    while progress.epochs < task.epochs and not progress.stopped_early:
        epoch = progress.epochs + 1
        epoch_start = time.perf_counter()
        try:
            metrics = _train_epoch(task, loop, dataset, epoch, emit)
        except _DeadlineError:
            timed_out = True
            break
        train_s = time.perf_counter() - epoch_start
        metrics |= {f"val_{k}": v for k, v in loop.evaluate(dataset.splits["validation"]).items()}
        progress = _after_epoch(task, progress, Epoch(metrics, time.perf_counter() - epoch_start, train_s))
        if task.objective.best_epoch(progress.history) == epoch:
            save_best(task.checkpoint_dir, model)
        save_state(task.checkpoint_dir, model, progress)
        in_epochs_s += report(epoch)
    return RungDone(
        trial_id=task.trial_id,
        rung=task.rung,
        epochs=progress.epochs,
        stopped_early=progress.stopped_early,
        timed_out=timed_out,
        num_params=int(model.count_params()),
        overhead_s=time.perf_counter() - start - in_epochs_s,
    )


def restore_winner(hypermodel: Any, values: dict[str, Any], checkpoint_dir: Path, dataset: Dataset) -> Any:
    """Return a compiled model with the weights of a trial's best epoch and no optimizer state."""
    import keras

    keras.utils.clear_session()
    model = build_model(hypermodel, values, dataset)
    load_best(checkpoint_dir, model)
    return model


def probabilities(model: Any, outputs: np.ndarray) -> np.ndarray:
    """Return probabilities (n, num_classes) from a model's outputs: as many, or (n, 1) for two classes."""
    outputs = outputs.reshape(len(outputs), -1).astype(np.float64)
    logits = bool(getattr(model.loss, "from_logits", False))
    if outputs.shape[1] == 1:
        second = (1 + np.tanh(outputs / 2)) / 2 if logits else outputs
        return np.concatenate([1 - second, second], axis=1)
    if logits:
        outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(outputs / outputs.sum(axis=1, keepdims=True))


def _train_epoch(
    task: TrainTask, loop: Loop, dataset: Dataset, epoch: int, emit: Callable[[StepsDone], None]
) -> Metrics:
    order = epoch_order(dataset.splits["train"], task.seed, epoch)

    def on_step(done: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrialError("nan", f"the training loss became {loss} in epoch {epoch}, after {done} images.")
        if task.deadline is not None and time.time() > task.deadline:
            raise _DeadlineError
        emit(StepsDone(task.trial_id, epoch, done, len(order)))

    return loop.train_epoch(order, task.batch_size, on_step)


def _after_epoch(task: TrainTask, progress: Progress, epoch: Epoch) -> Progress:
    history = (*progress.history, epoch)
    value = epoch.metrics[task.objective.name]
    if not math.isfinite(value):
        raise TrialError("nan", f"{task.objective.name} became {value} in epoch {len(history)}.")
    waited = len(history) - (task.objective.best_epoch(history) or 0)
    return Progress(history, stopped_early=bool(task.patience) and waited >= task.patience)
