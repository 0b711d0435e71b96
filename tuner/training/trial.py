"""Train and checkpoint one trial; restore the winner."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.dataset import Dataset
from tuner.statistics.auroc import NAME as AUROC
from tuner.statistics.auroc import auroc, has_auroc
from tuner.training.batches import TrainingBatches
from tuner.training.build import build_model
from tuner.training.checkpoint import (
    Epoch,
    History,
    Snapshot,
    load_best,
    restore_state,
    save_when_judged,
    take_snapshot,
)
from tuner.training.checkpoint_writer import BackgroundWriter
from tuner.training.compute import DEFAULT_COMPUTE, use_precision
from tuner.training.loop import Loop, make_loop
from tuner.training.moving_statistics import statistics_batches
from tuner.training.next_trial import NextTrial
from tuner.training.optimization import apply_recipe, class_weights
from tuner.training.pipeline import epoch_order, stratified_part
from tuner.training.task import EpochDone, RungDone, StepsDone, TrainTask, TrialError
from tuner.training.warm_trials import BuiltTrial, WarmTrials

Emit = Callable[[StepsDone | EpochDone], None]


class _OutOfTimeError(Exception):
    pass


def train(
    task: TrainTask,
    hypermodel: Any,
    dataset: Dataset,
    emit: Emit,
    warm: WarmTrials | None = None,
    following: NextTrial | None = None,
) -> RungDone:
    """Train one rung of a trial and report each epoch.

    The weights after n epochs depend on the task's values and seed alone, not on how often training was
    stopped and continued in between.

    Args:
        emit: Takes steps from this thread, and epochs from the one that writes their checkpoints.
        warm: Trials of this process that need not be built again; this one is put among them at its end.
        following: Builds the trial that comes next from when this one trains; the caller stops it.

    Raises:
        TrialError: the trial cannot be built, or its loss is not finite.
        StorageError: a checkpoint cannot be written.
    """
    start = time.perf_counter()
    end = math.inf if task.left_s is None else time.monotonic() + task.left_s
    ready = (trials.take(task) for trials in (warm, following) if trials is not None)
    built = next(filter(None, ready), None) or build_trial(task, hypermodel, dataset)
    history = built.history

    def report(number: int, epoch: Epoch) -> None:
        if number > task.epochs_reported:
            emit(EpochDone(task.trial_id, task.rung, number, epoch))

    # Epochs that were saved, but of which the driver never heard.
    for number, epoch in enumerate(history, start=1):
        report(number, epoch)
    in_epochs_s, timed_out = 0.0, False
    if following is not None and built.loop.self_contained:
        following.start()
    with BackgroundWriter() as writer:
        while len(history) < task.epochs and not task.is_over(history):
            number = len(history) + 1
            try:
                trained = _train_epoch(task, built, dataset, number, emit, end)
            except _OutOfTimeError:
                timed_out = True
                break
            judged: Future[History] = Future()
            writer.submit(partial(_keep, task, take_snapshot(built.model), judged, report))
            try:
                history = (*history, _validated(task, built, dataset, number, trained))
                judged.set_result(history)
            finally:
                judged.cancel()  # unless it has a result
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
    )


def restore_winner(hypermodel: Any, values: dict[str, Any], checkpoint_dir: Path, dataset: Dataset) -> Any:
    """Return a compiled model with the weights of a trial's best epoch and no optimizer state.

    It computes in float32, whatever it was trained in, so that it gives the same answers everywhere.
    """
    import keras

    keras.utils.clear_session()
    use_precision(DEFAULT_COMPUTE.precision)
    model = build_model(hypermodel, values, dataset)
    load_best(checkpoint_dir, model)
    return model


def build_trial(task: TrainTask, hypermodel: Any, dataset: Dataset) -> BuiltTrial:
    """Return a trial as its checkpoint has it, in a model of its own, traced.

    Raises:
        TrialError: it cannot be built.
    """
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(task.seed)
    use_precision(task.compute.precision)
    model = build_model(hypermodel, task.values, dataset)
    images, num_classes = dataset.splits["train"], len(dataset.class_names)
    apply_recipe(model, task.recipe, num_classes, _scheduled_steps(task, len(images)))
    history = restore_state(task.checkpoint_dir, model)
    weighted = task.recipe.class_weights == "auto"
    batches = TrainingBatches(
        task.recipe, class_weights(dataset.labels[images], num_classes) if weighted else None
    )
    loop = make_loop(model, dataset.images, dataset.labels, task.compute.xla, batches, task.batch_size)
    loop.trace()
    return BuiltTrial(model, loop, batches, history)


def _scheduled_steps(task: TrainTask, images: int) -> int:
    """Return how many steps a schedule spans: as many as are trained, if no rung sees part of the images.

    Each pass ends in a batch that may be smaller. Epochs on part of the images have more of these, of which
    `passes` does not tell: there the last steps, at most one for each such epoch, are at rate zero.
    """
    return round(task.passes * math.ceil(images / task.batch_size))


def _train_epoch(
    task: TrainTask, built: BuiltTrial, dataset: Dataset, number: int, emit: Emit, end: float
) -> Epoch:
    """Train one epoch, without validation; no step is begun after `end`, in seconds of time.monotonic()."""
    start = time.perf_counter()
    part = stratified_part(dataset.splits["train"], dataset.labels, task.share(number), dataset.seed)
    order = epoch_order(part, task.seed, number)
    draws = built.batches.draw(len(order), task.seed, number)

    def on_step(done: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrialError(
                "nan", f"the training loss became {loss} in epoch {number}, after {done} images."
            )
        if time.monotonic() > end:
            raise _OutOfTimeError
        emit(StepsDone(task.trial_id, number, done, len(order)))

    metrics = built.loop.train_epoch(order, task.batch_size, on_step, draws)
    train_s = time.perf_counter() - start
    built.loop.renew_statistics(statistics_batches(order, task.batch_size))
    return Epoch(metrics, time.perf_counter() - start, train_s, len(order))


def _validated(task: TrainTask, built: BuiltTrial, dataset: Dataset, number: int, trained: Epoch) -> Epoch:
    """A trained epoch with the metrics of its validation, where there is one, and the time of that."""
    if task.objective is None:
        return trained
    start = time.perf_counter()
    validation = validation_metrics(built.loop, dataset.labels, dataset.splits["validation"])
    metrics = trained.metrics | {f"val_{name}": value for name, value in validation.items()}
    value = metrics[task.objective.name]
    if not math.isfinite(value):
        raise TrialError("nan", f"{task.objective.name} became {value} in epoch {number}.")
    duration_s = trained.duration_s + time.perf_counter() - start
    return replace(trained, metrics=metrics, duration_s=duration_s)


def validation_metrics(loop: Loop, labels: np.ndarray, indices: np.ndarray) -> dict[str, float]:
    """Return the metrics on these images; of two classes, `auc` is the exact area under the ROC curve."""
    if not has_auroc(labels[indices]):
        return loop.evaluate(indices)
    metrics, outputs = loop.evaluate_and_predict(indices)
    return {**metrics, AUROC: auroc(labels[indices], outputs)}


def _keep(
    task: TrainTask, snapshot: Snapshot, judged: Future[History], report: Callable[[int, Epoch], None]
) -> None:
    """Write a checkpoint while its epoch is validated, then tell of it; nothing where that fails."""

    def wait() -> tuple[History, bool]:
        history = judged.result()
        return history, task.best_epoch(history) == len(history)

    with suppress(CancelledError):
        save_when_judged(task.checkpoint_dir, snapshot, wait)
        report(len(judged.result()), judged.result()[-1])
