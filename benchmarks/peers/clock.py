"""The times of a peer, taken by a Keras callback."""

from __future__ import annotations

import json
import time
from typing import Any

import keras

from benchmarks.peers.task import PeerTask


class EpochClock(keras.callbacks.Callback):  # type: ignore[misc]
    """Times training and validation steps of all trials together. Make it when the imports are done."""

    def __init__(self, task: PeerTask) -> None:
        super().__init__()
        self._task = task
        self._imports_s = time.time() - task.started_at
        self._startup_s: float | None = None
        self._train_s = self._validation_s = self._best = 0.0
        self._epochs = 0
        self._epoch_start = self._test_start = 0.0
        self._in_epoch = False

    def __deepcopy__(self, memo: dict[int, Any]) -> EpochClock:
        """Keras Tuner copies callbacks for each trial; these times belong together."""
        return self

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        if self._startup_s is None:
            self._startup_s = time.time() - self._task.started_at

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._epoch_start, self._in_epoch = time.perf_counter(), True

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self._test_start = time.perf_counter()
        if self._in_epoch:
            self._train_s += self._test_start - self._epoch_start

    def on_test_end(self, logs: Any = None) -> None:  # noqa: ARG002
        if self._in_epoch:
            self._validation_s += time.perf_counter() - self._test_start

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._in_epoch = False
        self._epochs += 1
        self._best = max(self._best, float(logs["val_accuracy"]))

    def print_answer(self) -> None:
        """Print the times in seconds as one line of JSON."""
        answer = {
            "imports_s": self._imports_s,
            "startup_s": self._startup_s,
            "train_s": self._train_s,
            "validation_s": self._validation_s,
            "images": self._epochs * self._task.num_train,
            "val_accuracy": self._best,
        }
        print(json.dumps(answer), flush=True)
