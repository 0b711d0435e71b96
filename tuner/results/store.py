"""The records of a run: one SQLite file that only this module writes, with one transaction an event."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from sys import intern
from typing import Any

from tuner.files import replacing
from tuner.results.schema import (
    BACKUP_FILE,
    EPOCH_COLUMNS,
    FAILED,
    RUNNING,
    SCHEMA_VERSION,
    STOPPED,
    EpochRecord,
    TrialRecord,
)
from tuner.results.store_file import SCHEMA_SQL, check_version, connect, damaged, failure
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone

_TRIAL_COLUMNS = [field.name for field in fields(TrialRecord) if field.name not in ("values", "metrics")]


class Store:
    """Opens the store of a run; `create` makes a new one.

    Raises:
        StorageError: the file is missing, damaged, or from a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise damaged(path, "it is missing")
        if not path.stat().st_size:
            raise damaged(path, "it is empty")
        self._connection = connect(path)
        try:
            check_version(self._connection, path)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise failure(path, error) from None

    @classmethod
    def create(cls, path: Path, run: dict[str, Any]) -> Store:
        """Make the store of a new run, with its facts as JSON values. The file appears complete."""
        script = f"BEGIN; {SCHEMA_SQL} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        with replacing(path) as draft:
            try:
                with closing(connect(draft)) as connection:
                    connection.executescript(script)
            except sqlite3.DatabaseError as error:
                raise failure(path, error) from None
            with closing(cls(draft)) as store:
                store.set_run(run)
        return cls(path)

    def close(self) -> None:
        self._connection.close()

    def back_up(self) -> None:
        """Copy the store to a file beside it. The copy appears complete or not at all.

        Raises:
            StorageError: the copy cannot be written.
        """
        with replacing(self._path.with_name(BACKUP_FILE)) as draft:
            try:
                with closing(sqlite3.connect(draft)) as copy:
                    self._connection.backup(copy)
            except sqlite3.DatabaseError as error:
                raise OSError(str(error)) from None

    def set_run(self, facts: dict[str, Any]) -> None:
        """Add or replace facts of the run."""
        with self._event() as cursor:
            _set_run(cursor, facts)

    def run(self) -> dict[str, Any]:
        """Return the facts of the run."""
        return {key: json.loads(value) for key, value in self.rows("SELECT key, value FROM run")}

    def start_rung(self, trial: TrialRecord, run: dict[str, Any] | None = None) -> None:
        """Record that a trial starts a rung, or starts it again after an interruption.

        Args:
            run: Current facts of the run.
        """
        with self._event() as cursor:
            _set_run(cursor, run or {})
            cursor.execute(
                "INSERT INTO trials (trial_id, hyperparameters, status, bracket, rung, seed, batch_size, "
                "attempts, started_at, epochs, duration_s, train_s, images, error, known_epochs) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, 0, 0, 0, 0, '', 0) ON CONFLICT (trial_id) DO UPDATE SET "
                "status = excluded.status, rung = excluded.rung, attempts = attempts + 1",
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
        with self._event() as cursor:
            cursor.executemany(
                "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?)",
                [
                    (trial_id, number, name, done.rung, _finite(value))
                    for name, value in epoch.metrics.items()
                ],
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
                cursor.execute(
                    "UPDATE trials SET best_epoch = ?, score = ? WHERE trial_id = ?",
                    (number, best_score, trial_id),
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
                "known_epochs = 0 "
                "WHERE trial_id = ?",
                (STOPPED, batch_size, trial_id),
            )
            for table in ("epochs", "costs"):
                cursor.execute(f"DELETE FROM {table} WHERE trial_id = ?", (trial_id,))

    def trial(self, trial_id: str) -> TrialRecord:
        """Return one trial, with the metrics of its best epoch."""
        return self._trials("WHERE trial_id = ?", (trial_id,))[0]

    def trials(self) -> list[TrialRecord]:
        """Return all trials in the order of their numbers, with the metrics of their best epochs."""
        return self._trials("", ())

    def _trials(self, condition: str, arguments: tuple[str, ...]) -> list[TrialRecord]:
        metrics: dict[str, dict[str, float]] = {}
        best = (
            f"SELECT trial_id, metric, value FROM (SELECT * FROM trials {condition}) JOIN epochs "
            "USING (trial_id) WHERE epoch = best_epoch AND value IS NOT NULL"
        )
        for trial_id, metric, value in self.rows(best, arguments):
            # Thousands of trials share one copy of each name.
            metrics.setdefault(trial_id, {})[intern(metric)] = value
        rows = self.rows(
            f"SELECT hyperparameters, {', '.join(_TRIAL_COLUMNS)} FROM trials {condition} "
            "ORDER BY length(trial_id), trial_id",
            arguments,
        )
        return [
            TrialRecord(
                values={intern(name): value for name, value in json.loads(values).items()},
                metrics=metrics.get(row[0], {}),
                **dict(zip(_TRIAL_COLUMNS, row, strict=True)),
            )
            for values, *row in rows
        ]

    def rung_scores(self) -> dict[str, list[float | None]]:
        """Return the scores of each trial at the end of its rungs, None for an unfinished rung."""
        scores: dict[str, list[float | None]] = {}
        for trial_id, score in self.rows("SELECT trial_id, score FROM rungs ORDER BY trial_id, rung"):
            scores.setdefault(trial_id, []).append(score)
        return scores

    def epochs(self, trial_id: str | None = None) -> list[EpochRecord]:
        """Return every metric of every epoch in order, of one trial or of all."""
        return list(self.each_epoch(trial_id))

    def each_epoch(self, trial_id: str | None = None) -> Iterator[EpochRecord]:
        """Yield the records of `epochs` one by one, since those of a large run take much memory."""
        condition, arguments = ("WHERE trial_id = ? ", (trial_id,)) if trial_id else ("", ())
        columns = ", ".join(EPOCH_COLUMNS)
        query = f"SELECT {columns} FROM epochs {condition}ORDER BY length(trial_id), trial_id, epoch, metric"
        for row in self._each_row(query, arguments):
            yield EpochRecord(*row)

    def history(self, trial_id: str) -> tuple[Epoch, ...]:
        """Return the finished epochs of a trial in order; a value that was not finite is NaN."""
        metrics: dict[int, dict[str, float]] = {}
        for record in self.epochs(trial_id):
            value = math.nan if record.value is None else record.value
            metrics.setdefault(record.epoch, {})[record.metric] = value
        query = "SELECT epoch, duration_s, train_s, images FROM costs WHERE trial_id = ? ORDER BY epoch"
        return tuple(Epoch(metrics[number], *cost) for number, *cost in self.rows(query, (trial_id,)))

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

    def rows(self, query: str, arguments: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of a query.

        Raises:
            StorageError: the file is damaged.
        """
        return list(self._each_row(query, arguments))

    def _each_row(self, query: str, arguments: tuple[Any, ...] = ()) -> Iterator[Any]:
        try:
            yield from self._connection.execute(query, arguments)
        except sqlite3.DatabaseError as error:
            raise failure(self._path, error) from None


def _set_run(cursor: sqlite3.Cursor, facts: dict[str, Any]) -> None:
    rows = [(key, json.dumps(value)) for key, value in facts.items()]
    cursor.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", rows)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
