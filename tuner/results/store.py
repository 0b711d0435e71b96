"""The records of a run: one SQLite file that only this module writes, with one transaction an event."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tuner.files import replacing
from tuner.results.schema import (
    BACKUP_FILE,
    FAILED,
    RUNNING,
    STOPPED,
    TrialRecord,
)
from tuner.results.store_file import connect, copy_to, create_tables, failure
from tuner.results.store_reader import StoreReader
from tuner.training.task import EpochDone


class Store(StoreReader):
    """The store of a run, with an event for each change; `create` makes a new one."""

    @classmethod
    def create(cls, path: Path, run: dict[str, Any]) -> Store:
        """Make the store of a new run, with its facts as JSON values. The file appears complete."""
        with replacing(path) as draft:
            try:
                with closing(connect(draft)) as connection:
                    create_tables(connection)
            except sqlite3.DatabaseError as error:
                raise failure(path, error) from None
            with closing(cls(draft)) as store:
                store.set_run(run)
        return cls(path)

    def back_up(self) -> None:
        """Copy the store to a file beside it. The copy appears complete or not at all.

        Raises:
            StorageError: the copy cannot be written.
        """
        with replacing(self._path.with_name(BACKUP_FILE)) as draft:
            copy_to(draft, self._connection)

    def set_run(self, facts: dict[str, Any]) -> None:
        """Add or replace facts of the run."""
        with self._event() as cursor:
            _set_run(cursor, facts)

    def start_rung(self, trial: TrialRecord, run: dict[str, Any] | None = None) -> None:
        """Record that a trial starts a rung, or starts it again after an interruption.

        Args:
            run: Current facts of the run.
        """
        with self._event() as cursor:
            _set_run(cursor, run or {})
            cursor.execute(
                "INSERT INTO trials (trial_id, hyperparameters, status, bracket, rung, seed, batch_size, "
                "attempts, started_at, epochs, duration_s, train_s, images, error, known_epochs, metrics) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, 0, 0, 0, 0, '', 0, '{}') "
                "ON CONFLICT (trial_id) DO UPDATE "
                "SET status = excluded.status, rung = excluded.rung, attempts = attempts + 1",
                (
                    trial.trial_id,
                    json.dumps(trial.values),
                    RUNNING,
                    trial.bracket,
                    trial.rung,
                    trial.seed,
                    trial.batch_size,
                    trial.started_at,
                ),
            )
            cursor.execute(
                "INSERT OR REPLACE INTO rungs VALUES (?, ?, ?, NULL)", (trial.trial_id, trial.rung, RUNNING)
            )

    def record_epoch(
        self, done: EpochDone, best_score: float | None, run: dict[str, float], known: bool = False
    ) -> None:
        """Record a finished epoch and add its times and images to those of the trial.

        Args:
            best_score: The score, if this epoch is the best of the trial so far.
            run: Current facts of the run, among them `spent_s`, its time so far.
            known: True for an epoch that an earlier run trained.
        """
        trial_id, number, epoch = done.trial_id, done.number, done.epoch
        metrics = {name: _finite(value) for name, value in epoch.metrics.items()}
        with self._event() as cursor:
            cursor.executemany(
                "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?)",
                [(trial_id, number, name, done.rung, value) for name, value in metrics.items()],
            )
            cost = (epoch.duration_s, epoch.train_s, epoch.images)
            cursor.execute(
                "INSERT OR REPLACE INTO costs VALUES (?, ?, ?, ?, ?, ?)",
                (trial_id, number, *cost, run["spent_s"]),
            )
            cursor.execute(
                "UPDATE trials SET epochs = ?, attempts = 0, duration_s = duration_s + ?, "
                "train_s = train_s + ?, images = images + ?, known_epochs = known_epochs + ? "
                "WHERE trial_id = ?",
                (number, *cost, known, trial_id),
            )
            _set_run(cursor, run)
            if best_score is not None:
                known_metrics = {name: value for name, value in metrics.items() if value is not None}
                cursor.execute(
                    "UPDATE trials SET best_epoch = ?, score = ?, metrics = ? WHERE trial_id = ?",
                    (number, best_score, json.dumps(known_metrics), trial_id),
                )

    def finish_rung(
        self,
        trial_id: str,
        rung: int,
        status: str,
        num_params: int | None,
        overhead_s: float,
        batch_size: int | None = None,
    ) -> None:
        """Record the end of a rung; `overhead_s` is time of the trial outside its epochs.

        Args:
            batch_size: Batch size of the training where it is not the recorded one.
        """
        with self._event() as cursor:
            cursor.execute(
                "UPDATE trials SET status = ?, num_params = coalesce(?, num_params), attempts = 0, "
                "duration_s = duration_s + ?, batch_size = coalesce(?, batch_size) WHERE trial_id = ?",
                (status, num_params, overhead_s, batch_size, trial_id),
            )
            cursor.execute(
                "UPDATE rungs SET status = ?, score = (SELECT score FROM trials WHERE trial_id = ?) "
                "WHERE trial_id = ? AND rung = ?",
                (status, trial_id, trial_id, rung),
            )

    def fail(self, trial_id: str, rung: int, error: str) -> None:
        """Record the failure of a trial; `error` is 'reason: message'."""
        with self._event() as cursor:
            cursor.execute(
                "UPDATE trials SET status = ?, error = ? WHERE trial_id = ?", (FAILED, error, trial_id)
            )
            cursor.execute(
                "UPDATE rungs SET status = ? WHERE trial_id = ? AND rung = ?", (FAILED, trial_id, rung)
            )

    def stop(self, trial_id: str) -> None:
        """Record that a trial was interrupted. It continues when the run does."""
        with self._event() as cursor:
            cursor.execute(
                "UPDATE trials SET status = ?, attempts = 0 WHERE trial_id = ?", (STOPPED, trial_id)
            )

    def add_values(self, trial_id: str, values: dict[str, Any], run: dict[str, Any]) -> None:
        """Record values that a trial has beside those it began with, and facts of the run."""
        with self._event() as cursor:
            _set_run(cursor, run)
            cursor.execute(
                "UPDATE trials SET hyperparameters = json_patch(hyperparameters, ?) WHERE trial_id = ?",
                (json.dumps(values), trial_id),
            )

    def restart(self, trial_id: str, batch_size: int) -> None:
        """Delete the results of a trial, so that it starts again at epoch 0.

        Its checkpoint has to be gone by now: after a kill, no checkpoint may be without its record.
        """
        with self._event() as cursor:
            cursor.execute(
                "UPDATE trials SET status = ?, batch_size = ?, attempts = 0, score = NULL, "
                "best_epoch = NULL, epochs = 0, duration_s = 0, train_s = 0, images = 0, error = '', "
                "known_epochs = 0, metrics = '{}' "
                "WHERE trial_id = ?",
                (STOPPED, batch_size, trial_id),
            )
            for table in ("epochs", "costs"):
                cursor.execute(f"DELETE FROM {table} WHERE trial_id = ?", (trial_id,))

    @contextmanager
    def _event(self) -> Iterator[sqlite3.Cursor]:
        """Run one transaction, complete or not at all."""
        try:
            with self._connection as connection:
                yield connection.cursor()
        except sqlite3.IntegrityError:
            raise  # a bug of the caller
        except sqlite3.DatabaseError as error:
            raise failure(self._path, error) from None


def _set_run(cursor: sqlite3.Cursor, facts: dict[str, Any]) -> None:
    rows = [(key, json.dumps(value)) for key, value in facts.items()]
    cursor.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", rows)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
