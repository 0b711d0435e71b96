"""Files for TensorBoard: scalars of each epoch, and HParams. They do not need TensorFlow."""

from __future__ import annotations

import shutil
import time
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event as Record
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.record_writer import RecordWriter

from tuner.errors import StorageError
from tuner.results.schema import COMPLETED, FAILED, TrialRecord
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone
from tuner.tuning.events import Event, Listener, RungEnded, TrialStarted

TRAIN, VALIDATION = "train", "validation"
"""Runs of a trial, as Keras names them."""
SCORE = "Score"
"""The scalar by which HParams compares trials; it sorts by letters, and capitals come first."""

_END = {COMPLETED: api_pb2.STATUS_SUCCESS, FAILED: api_pb2.STATUS_FAILURE}


class TensorBoard(AbstractContextManager[Listener]):
    """A listener that writes each event at once into one folder a trial; a context manager.

    `<trial>/train` and `<trial>/validation` hold the metrics of each epoch, `<trial>` the hyperparameters
    and, after each rung, `Score`. The time of an epoch is the trial's beginning and its training so far.
    The folder is written anew from the store, so that it has each epoch once, however the search was
    interrupted before.

    Raises:
        StorageError: a file cannot be written.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._logs: dict[str, _TrialLog] = {}
        self._trials = {trial.trial_id: trial for trial in store.trials()}
        shutil.rmtree(folder, ignore_errors=True)
        for trial_id, trial in self._trials.items():
            started = datetime.fromisoformat(trial.started_at).timestamp()
            log = self._begin(trial_id, trial.values, started)
            for number, epoch in enumerate(store.history(trial_id), start=1):
                log.add_epoch(number, epoch)
            log.add_score(trial)

    def __exit__(self, *_: object) -> None:
        # TensorBoard takes the first end of a trial that it reads; one that ends a rung may go on.
        for trial_id, trial in self._trials.items():
            if trial.status in _END:
                self._logs[trial_id].end(trial)

    def __call__(self, event: Event) -> None:
        if isinstance(event, TrialStarted):
            if event.trial_id not in self._logs:
                self._begin(event.trial_id, event.values, time.time())
        elif isinstance(event, EpochDone):
            log = self._logs[event.trial_id]
            if event.number == 1 and log.epochs:  # begun again, with smaller batches
                log = self._begin(event.trial_id, log.values, time.time())
            log.add_epoch(event.number, event.epoch)
        elif isinstance(event, RungEnded):
            self._trials[event.trial.trial_id] = event.trial
            self._logs[event.trial.trial_id].add_score(event.trial)

    def _begin(self, trial_id: str, values: dict[str, Any], started: float) -> _TrialLog:
        log = self._logs[trial_id] = _TrialLog(self._folder / trial_id, values, started)
        return log


class _TrialLog:
    """The events of one trial, which began at `started`, in seconds since 1970; others are removed."""

    def __init__(self, folder: Path, values: dict[str, Any], started: float) -> None:
        self.values, self.epochs = values, 0
        self._folder, self._started, self._trained_s = folder, started, 0.0
        # A file of the same name would be taken for the one before.
        self._name = f"events.out.tfevents.{time.time_ns()}"
        shutil.rmtree(folder, ignore_errors=True)
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in values.items()
        }
        self._write("", 0, summary_v2.hparams_pb(plain, trial_id=folder.name, start_time_secs=started))

    def add_epoch(self, number: int, epoch: Epoch) -> None:
        """Write the metrics of an epoch, from 1, unless they are there."""
        if number <= self.epochs:
            return
        self.epochs = number
        self._trained_s += epoch.duration_s
        parts: dict[str, dict[str, float]] = {TRAIN: {}, VALIDATION: {}}
        for name, value in epoch.metrics.items():
            parts[VALIDATION if name.startswith("val_") else TRAIN][name.removeprefix("val_")] = value
        for part, values in parts.items():
            if values:
                self._write(part, number, _scalars(values))

    def add_score(self, trial: TrialRecord) -> None:
        """Write the best value of the objective so far, where there is one."""
        if trial.score is not None:
            self._write("", trial.epochs, _scalars({SCORE: trial.score}))

    def end(self, trial: TrialRecord) -> None:
        """Write how the trial ended."""
        info = plugin_data_pb2.SessionEndInfo(
            status=_END[trial.status], end_time_secs=self._started + trial.duration_s
        )
        content = plugin_data_pb2.HParamsPluginData(session_end_info=info)
        value = {
            "tag": metadata.SESSION_END_INFO_TAG,
            "metadata": metadata.create_summary_metadata(content),
            "tensor": metadata.NULL_TENSOR,
        }
        self._write("", trial.epochs, {"value": [value]})

    def _write(self, part: str, step: int, summary: Any) -> None:
        path = self._folder / part / self._name
        now = self._started + self._trained_s
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Opened for each event: many trials may be under way, and TensorBoard shows each event at once.
            with path.open("ab") as file:
                writer = RecordWriter(file)
                if not file.tell():
                    writer.write(Record(wall_time=now, file_version="brain.Event:2").SerializeToString())
                writer.write(Record(wall_time=now, step=step, summary=summary).SerializeToString())
        except OSError as error:
            raise StorageError(
                f"cannot write '{path}': {error.strerror}. Free space or permissions, then go on."
            ) from None


def _scalars(values: dict[str, float]) -> Any:
    return {"value": [{"tag": name, "simple_value": value} for name, value in values.items()]}
