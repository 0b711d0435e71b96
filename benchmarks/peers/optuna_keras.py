"""Optuna around Keras' fit, with Hyperband as its pruner, on a folder of images.

    python -m benchmarks.peers.optuna_keras TASK

The pruner's first rung lies behind the last epoch: it is asked after each epoch and never prunes, so that the
work is the same for all.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import keras
import optuna

from benchmarks.peers.clock import EpochClock
from benchmarks.peers.reading import read_folder
from benchmarks.peers.task import PeerTask, read_task
from search_spaces import DataSpec, sequential


class Suggestions:
    """The part of HyperParameters that `sequential` uses, answered by an Optuna trial."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def Int(self, name: str, low: int, high: int, step: int = 1, default: int = 0) -> int:  # noqa: N802, ARG002
        return self._trial.suggest_int(name, low, high, step=step)

    def Choice(self, name: str, values: Sequence[Any]) -> Any:  # noqa: N802
        return self._trial.suggest_categorical(name, values)


class Report(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each epoch and stops the trial where the pruner says so."""

    def __init__(self, trial: optuna.Trial) -> None:
        super().__init__()
        self._trial = trial

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._trial.report(logs["val_accuracy"], epoch + 1)
        if self._trial.should_prune():
            raise optuna.TrialPruned


def main(task: PeerTask) -> None:
    clock = EpochClock(task)
    train, validation = read_folder(task)
    spec = DataSpec(task.image_shape, task.num_classes)

    def objective(trial: optuna.Trial) -> float:
        keras.utils.clear_session()
        model = sequential.build(Suggestions(trial), spec)
        history = model.fit(
            train,
            validation_data=validation,
            epochs=task.epochs,
            callbacks=[clock, Report(trial)],
            verbose=0,
        )
        return float(max(history.history["val_accuracy"]))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    beyond = task.epochs + 1
    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.HyperbandPruner(min_resource=beyond, max_resource=beyond)
    )
    for configuration in task.configurations:
        study.enqueue_trial(configuration)
    study.optimize(objective, n_trials=len(task.configurations))
    clock.print_answer()


if __name__ == "__main__":
    main(read_task(sys.argv[1]))
