"""Training of one trial, to the end of its epochs or of its time, and the model of the winner."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.dataset import Dataset
from tuner.statistics.auroc import NAME as AUROC
from tuner.statistics.auroc import auroc, has_auroc
from tuner.training.augmentation import draw
from tuner.training.batches import TrainingBatches
from tuner.training.build import blaming_the_space, build_model, gives_logits
from tuner.training.checkpoint import (
    Epoch,
    History,
    Snapshot,
    load_best,
    restore_state,
    save,
    take_snapshot,
)
from tuner.training.checkpoint_writer import CheckpointWriter
from tuner.training.compute import DEFAULT_COMPUTE, use_precision
from tuner.training.fit_call import Fit, own_fit
from tuner.training.fit_loop import FitLoop, OwnFit, TrainingEndedError
from tuner.training.loop import make_loop
from tuner.training.loop_base import Loop
from tuner.training.moving_statistics import statistics_batches
from tuner.training.next_trial import NextTrial
from tuner.training.optimization import apply_recipe, class_weights
from tuner.training.pipeline import epoch_order, stratified_part
from tuner.training.pixels import with_raw_pixels
from tuner.training.task import EpochDone, LateHyperparameters, RungDone, StepsDone, TrainTask, TrialError
from tuner.training.warm_trials import BuiltTrial, WarmTrials

# Share of the training images that a fit gets for its callbacks where no validation split is left.
SHARE_TO_WATCH = 0.1
ACCURACY = "accuracy"
"""Keras' name of the share of right classes, which each validation reports."""

Emit = Callable[[StepsDone | EpochDone | LateHyperparameters], None]


class _OutOfTimeError(Exception):
    pass


@dataclass(frozen=True)
class _Rung:
    """A rung of a trial in training; no step starts after `end`, in seconds of time.monotonic()."""

    task: TrainTask
    built: BuiltTrial
    dataset: Dataset
    emit: Emit
    end: float

    def train_epoch(self, number: int) -> Epoch:
        """Train one epoch, without validation."""
        start = time.perf_counter()
        task, dataset, loop = self.task, self.dataset, self.built.loop
        part = stratified_part(dataset.splits["train"], dataset.labels, task.share(number), dataset.seed)
        order = epoch_order(part, task.seed, number)
        draws = draw(task.recipe, len(order), task.seed, number)

        def on_step(done: int, loss: float) -> None:
            if not math.isfinite(loss):
                raise TrialError(
                    "nan", f"the training loss became {loss} in epoch {number}, after {done} images."
                )
            if time.monotonic() > self.end:
                raise _OutOfTimeError
            self.emit(StepsDone(task.trial_id, number, done, len(order)))

        metrics = loop.train_epoch(order, task.batch_size, on_step, draws)
        train_s = time.perf_counter() - start
        loop.renew_statistics(statistics_batches(order, task.batch_size))
        duration_s = time.perf_counter() - start
        final = loop.ended and number < task.last_epoch
        return Epoch(metrics, duration_s, train_s, len(order), final, loop.resumable)

    def validate(self, number: int, trained: Epoch) -> Epoch:
        """Add the metrics and the time of a validation, if the task has an objective."""
        if self.task.objective is None:
            return trained
        start = time.perf_counter()
        dataset, objective = self.dataset, self.task.objective.name
        validation = validation_metrics(
            self.built.model, self.built.loop, dataset.labels, dataset.splits["validation"]
        )
        metrics = trained.metrics | {f"val_{name}": value for name, value in validation.items()}
        if not math.isfinite(metrics[objective]):
            raise TrialError("nan", f"{objective} became {metrics[objective]} in epoch {number}.")
        duration_s = trained.duration_s + time.perf_counter() - start
        return replace(trained, metrics=metrics, duration_s=duration_s)

    def save(self, snapshot: Snapshot, validated: Future[History]) -> None:
        """Write a checkpoint during the validation of its epoch, then report the epoch.

        A failed validation leaves the checkpoint before.
        """

        def wait() -> tuple[History, bool]:
            history = validated.result()
            return history, self.task.best_epoch(history) == len(history)

        with suppress(CancelledError):
            save(self.task.checkpoint_dir, snapshot, wait)
            self.report(validated.result())

    def report(self, history: History) -> None:
        """Report the last epoch, unless the driver knows it."""
        if len(history) > self.task.epochs_reported:
            self.emit(EpochDone(self.task.trial_id, self.task.rung, len(history), history[-1]))


def train(
    task: TrainTask,
    hypermodel: Any,
    dataset: Dataset,
    emit: Emit,
    warm: WarmTrials | None = None,
    following: NextTrial | None = None,
) -> RungDone:
    """Train one rung of a trial and report each epoch.

    The weights after n epochs depend only on the values and the seed of the task, not on interruptions.

    Args:
        emit: Takes steps from this thread, and epochs from the thread that writes their checkpoints.
        warm: Trials that this process keeps ready; this one joins them at its end.
        following: Builds the next trial while this one trains; the caller stops it.

    Raises:
        TrialError: the trial cannot be built, or its loss is not finite.
        StorageError: a checkpoint cannot be written.
    """
    start = time.perf_counter()
    end = math.inf if task.left_s is None else time.monotonic() + task.left_s
    ready = (trials.take(task) for trials in (warm, following) if trials is not None)
    built = next(filter(None, ready), None) or build_trial(task, hypermodel, dataset)
    rung, history = _Rung(task, built, dataset, emit, end), built.history
    if built.late is not None:
        emit(built.late)
    # The checkpoint may hold epochs that never reached the driver.
    for number in range(1, len(history) + 1):
        rung.report(history[:number])
    in_epochs_s, timed_out = 0.0, False
    if following is not None and built.loop.self_contained:
        following.start()
    with CheckpointWriter() as writer:
        while len(history) < task.epochs and not task.is_over(history):
            number = len(history) + 1
            try:
                trained = rung.train_epoch(number)
            except _OutOfTimeError:
                timed_out = True
                break
            except TrainingEndedError:
                history = (*history[:-1], replace(history[-1], final=True))
                ended = partial(
                    save, task.checkpoint_dir, take_snapshot(built.model), partial(_again, history)
                )
                writer.submit(ended)
                break
            validated: Future[History] = Future()
            writer.submit(partial(rung.save, take_snapshot(built.model), validated))
            try:
                history = (*history, rung.validate(number, trained))
                validated.set_result(history)
            finally:
                validated.cancel()  # unless it has a result
            in_epochs_s += history[-1].duration_s
    if warm is not None and not timed_out:
        warm.keep(task, replace(built, history=history))
    return RungDone(
        trial_id=task.trial_id,
        rung=task.rung,
        epochs=len(history),
        stopped_early=task.is_over(history),
        timed_out=timed_out,
        num_params=int(built.model.count_params()),
        overhead_s=time.perf_counter() - start - in_epochs_s,
        batch_size=built.loop.batch_size,
    )


def _again(history: History) -> tuple[History, bool]:
    """Return epochs of which a checkpoint already holds the best."""
    return history, False


def load_space(hypermodel: Any) -> None:
    """Import the space before anything is set that its file may change, such as seeds and precision.

    It follows `clear_session`, so that layers of the file and of a build have different names.

    Raises:
        TrialError: the file raises an error.
    """
    if hasattr(hypermodel, "load"):
        with blaming_the_space():
            hypermodel.load()


def restore_winner(hypermodel: Any, values: dict[str, Any], checkpoint_dir: Path, dataset: Dataset) -> Any:
    """Return a compiled model with the weights of a trial's best epoch, without optimizer state.

    It computes in float32 and takes raw pixels, whatever those of the training, so that it predicts the same
    everywhere.
    """
    import keras

    keras.utils.clear_session()
    load_space(hypermodel)
    use_precision(DEFAULT_COMPUTE.precision)
    model = build_model(hypermodel, values, dataset)
    load_best(checkpoint_dir, model)
    return with_raw_pixels(model, dataset.image_shape)


def build_trial(task: TrainTask, hypermodel: Any, dataset: Dataset) -> BuiltTrial:
    """Return a trial in the state of its checkpoint, with a model of its own, traced.

    Raises:
        TrialError: the trial cannot be built.
    """
    import keras
    import keras_tuner as kt

    keras.utils.clear_session()
    load_space(hypermodel)
    keras.utils.set_random_seed(task.seed)
    use_precision(task.compute.precision)
    hp = kt.HyperParameters()
    model = build_model(hypermodel, task.values, dataset, hp)
    images, num_classes = dataset.splits["train"], len(dataset.class_names)
    apply_recipe(model, task.recipe, num_classes, _scheduled_steps(task, len(images)))
    history = restore_state(task.checkpoint_dir, model)
    weighted = task.recipe.class_weights == "auto"
    weights = class_weights(dataset.labels[images], num_classes) if weighted else None
    batches = TrainingBatches(task.recipe, weights)
    late = _late(task, hp)
    if fit := own_fit(hypermodel):
        loop: Loop = _fit_loop(task, fit, hp, model, dataset, batches, len(history))
    else:
        loop = make_loop(model, dataset.images, dataset.labels, task.compute.xla, batches, task.batch_size)
    loop.trace()
    return BuiltTrial(model, loop, history, late)


def _late(task: TrainTask, hp: Any) -> LateHyperparameters | None:
    """Return the active hyperparameters of a build that have no value in its task, None without any."""
    values = {
        each.name: hp.values[each.name]
        for each in hp.space
        if each.name not in task.values and hp.is_active(each)
    }
    space = tuple(each for each in hp.get_config()["space"] if each["config"]["name"] in values)
    return LateHyperparameters(task.trial_id, space, values) if values else None


def _fit_loop(
    task: TrainTask, fit: Fit, hp: Any, model: Any, dataset: Dataset, batches: TrainingBatches, done: int
) -> FitLoop:
    if "batch_size" in hp.values:  # a lack of memory may have halved it
        hp.values["batch_size"] = task.batch_size
    if task.objective is None:  # all images are trained on
        train = dataset.splits["train"]
        validation = stratified_part(train, dataset.labels, SHARE_TO_WATCH, dataset.seed)
    else:
        validation = dataset.splits["validation"]
    own = OwnFit(fit, hp, task.seed, task.last_epoch, done, validation, task.compute.precision)
    return FitLoop(model, dataset.images, dataset.labels, batches, task.batch_size, own)


def _scheduled_steps(task: TrainTask, images: int) -> int:
    """Return the number of steps of a schedule: that of the training, if all rungs see all images.

    Epochs on part of the images have more batches that are not full. There the last steps, at most one an
    epoch, have rate zero.
    """
    return round(task.passes * math.ceil(images / task.batch_size))


def validation_metrics(model: Any, loop: Loop, labels: np.ndarray, indices: np.ndarray) -> dict[str, float]:
    """Return the metrics on these images.

    There is always an `accuracy`, the share of images whose own class has the highest output. With two
    classes, `auc` is the exact area under the ROC curve.
    """
    labels, outputs = labels[indices], None
    if has_auroc(labels):
        metrics, outputs = loop.evaluate_and_predict(indices)
        metrics = {**metrics, AUROC: auroc(labels, outputs)}
    else:
        metrics = loop.evaluate(indices)
    if ACCURACY in metrics:
        return metrics
    outputs = loop.predict(indices) if outputs is None else outputs
    return {**metrics, ACCURACY: _accuracy(model, labels, outputs)}


def _accuracy(model: Any, labels: np.ndarray, outputs: np.ndarray) -> float:
    outputs = outputs.reshape(len(outputs), -1)
    positive = outputs[:, 0] > (0 if gives_logits(model) else 0.5)
    return float(np.mean((positive if outputs.shape[1] == 1 else outputs.argmax(axis=1)) == labels))
