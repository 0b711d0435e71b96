"""Keras Tuner's Hyperband over `sequential`, each epoch noted with its time.

python -m benchmarks.peers.keras_tuner_hyperband TASK folder|arrays
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner as kt

from benchmarks.peers.reading import read_arrays, read_folder
from benchmarks.peers.task import PeerTask, read_task
from benchmarks.progress_log import Progress, append
from search_spaces import DataSpec, sequential

FACTOR = 3


class EpochLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes seconds since the process began and validation accuracy of each finished epoch of a trial."""

    def __init__(self, task: PeerTask, trial_id: str) -> None:
        super().__init__()
        self._task, self._trial_id = task, trial_id

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = time.time() - self._task.started_at
        progress = Progress(seconds, self._trial_id, epoch + 1, float(logs["val_accuracy"]))
        append(Path(self._task.log), [progress])


class LoggedHyperband(kt.Hyperband):  # type: ignore[misc]
    """Hyperband that notes its epochs."""

    def __init__(self, task: PeerTask, **options: Any) -> None:
        self._task = task
        super().__init__(**options)

    def run_trial(self, trial: Any, *arguments: Any, **options: Any) -> Any:
        callbacks = [EpochLog(self._task, trial.trial_id)]
        return super().run_trial(trial, *arguments, callbacks=callbacks, **options)


def main(task: PeerTask, source: str) -> None:
    keras.utils.set_random_seed(task.seed)
    spec = DataSpec(task.image_shape, task.num_classes)
    with tempfile.TemporaryDirectory() as directory:
        tuner = LoggedHyperband(
            task,
            hypermodel=lambda hp: sequential.build(hp, spec),
            objective="val_accuracy",
            max_epochs=task.epochs,
            factor=FACTOR,
            seed=task.seed,
            directory=directory,
            project_name="search",
        )
        if source == "folder":
            train, validation = read_folder(task)
            tuner.search(train, validation_data=validation, verbose=0)
        else:
            images, labels, validation = read_arrays(task)
            tuner.search(images, labels, batch_size=task.batch_size, validation_data=validation, verbose=0)


if __name__ == "__main__":
    main(read_task(sys.argv[1]), sys.argv[2])
