"""The truth of a run: one SQLite file, one transaction for each event. Nothing else writes it."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from tuner.errors import TunerError
from tuner.results.schema import (
    EPOCH_COLUMNS,
    FAILED,
    RUNNING,
    SCHEMA_VERSION,
    EpochRecord,
    TrialRecord,
)

_SCHEMA = """
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    trial_id TEXT PRIMARY KEY, hyperparameters TEXT NOT NULL, status TEXT NOT NULL,
    bracket INTEGER NOT NULL, rung INTEGER NOT NULL, seed INTEGER NOT NULL, started_at TEXT NOT NULL,
    score REAL, best_epoch INTEGER, epochs INTEGER NOT NULL, duration_s REAL NOT NULL,
    train_s REAL NOT NULL, images INTEGER NOT NULL, num_params INTEGER, error TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE rungs (
    trial_id TEXT NOT NULL REFERENCES trials, rung INTEGER NOT NULL, status TEXT NOT NULL, score REAL,
    PRIMARY KEY (trial_id, rung)
) WITHOUT ROWID;
CREATE TABLE epochs (
    trial_id TEXT NOT NULL REFERENCES trials, epoch INTEGER NOT NULL, metric TEXT NOT NULL,
    rung INTEGER NOT NULL, value REAL, PRIMARY KEY (trial_id, epoch, metric)
) WITHOUT ROWID;
"""


class Store:
    """Opens the store of a run; `create` makes a new one.

    Raises:
        TunerError: the file is missing, is no run store, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file() or not path.stat().st_size:
            raise TunerError(f"no run store at '{path}', or it is empty. Give the folder of a run.")
        self._connection = _connect(path)
        try:
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise TunerError(f"'{path}' is not a readable run store: {error}.") from None
        if version != SCHEMA_VERSION:
            raise TunerError(
                f"'{path}' has store version {version}; this tuner reads version {SCHEMA_VERSION}."
            )

    @classmethod
    def create(cls, path: Path, run: dict[str, Any]) -> Store:
        """Make the store of a new run with its facts (values that JSON can hold)."""
        connection = _connect(path)
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        connection.close()
        store = cls(path)
        store.set_run(run)
        return store

    def close(self) -> None:
        self._connection.close()

    def set_run(self, facts: dict[str, Any]) -> None:
        """Add or replace facts of the run."""
        with self._event() as cursor:
            cursor.executemany(
                "INSERT OR REPLACE INTO run VALUES (?, ?)", [(k, json.dumps(v)) for k, v in facts.items()]
            )

    def run(self) -> dict[str, Any]:
        """Return the facts of the run."""
        return {
            key: json.loads(value) for key, value in self._connection.execute("SELECT key, value FROM run")
        }

    def start_rung(self, trial: TrialRecord) -> None:
        """A trial begins its first rung, a further one, or is begun again after an interruption."""
        with self._event() as cursor:
            cursor.execute(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, 0, 0, 0, 0, NULL, '') "
                "ON CONFLICT (trial_id) DO UPDATE SET status = excluded.status, rung = excluded.rung",
                (
                    trial.trial_id,
                    json.dumps(trial.values),
                    RUNNING,
                    trial.bracket,
                    trial.rung,
                    trial.seed,
                    trial.started_at,
                ),
            )
            cursor.execute(
                "INSERT OR REPLACE INTO rungs VALUES (?, ?, ?, NULL)", (trial.trial_id, trial.rung, RUNNING)
            )

    def record_epoch(
        self, trial_id: str, rung: int, epoch: int, metrics: dict[str, float], best_score: float | None
    ) -> None:
        """A trial finished an epoch; `best_score` is given where it is the trial's best so far."""
        with self._event() as cursor:
            cursor.executemany(
                "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?)",
                [(trial_id, epoch, name, rung, _finite(value)) for name, value in metrics.items()],
            )
            cursor.execute("UPDATE trials SET epochs = ? WHERE trial_id = ?", (epoch, trial_id))
            if best_score is not None:
                cursor.execute(
                    "UPDATE trials SET best_epoch = ?, score = ? WHERE trial_id = ?",
                    (epoch, best_score, trial_id),
                )

    def finish_rung(
        self,
        trial_id: str,
        rung: int,
        status: str,
        num_params: int,
        duration_s: float,
        train_s: float,
        images: int,
    ) -> None:
        """A trial has finished its rung, or was stopped in it; times and images are added to those before."""
        with self._event() as cursor:
            cursor.execute(
                "UPDATE trials SET status = ?, num_params = ?, duration_s = duration_s + ?, "
                "train_s = train_s + ?, images = images + ? WHERE trial_id = ?",
                (status, num_params, duration_s, train_s, images, trial_id),
            )
            cursor.execute(
                "UPDATE rungs SET status = ?, score = (SELECT score FROM trials WHERE trial_id = ?) "
                "WHERE trial_id = ? AND rung = ?",
                (status, trial_id, trial_id, rung),
            )

    def fail(self, trial_id: str, rung: int, error: str) -> None:
        """A trial failed for good; `error` is 'reason: message'."""
        with self._event() as cursor:
            cursor.execute(
                "UPDATE trials SET status = ?, error = ? WHERE trial_id = ?", (FAILED, error, trial_id)
            )
            cursor.execute(
                "UPDATE rungs SET status = ? WHERE trial_id = ? AND rung = ?", (FAILED, trial_id, rung)
            )

    def trials(self) -> list[TrialRecord]:
        """Return all trials in the order of their numbers, with the metrics of their best epochs."""
        metrics: dict[str, dict[str, float]] = {}
        best = (
            "SELECT trial_id, metric, value FROM epochs JOIN trials USING (trial_id) "
            "WHERE epoch = best_epoch AND value IS NOT NULL"
        )
        for trial_id, metric, value in self._connection.execute(best):
            metrics.setdefault(trial_id, {})[metric] = value
        columns = [field.name for field in fields(TrialRecord) if field.name not in ("values", "metrics")]
        rows = self._connection.execute(
            f"SELECT hyperparameters, {', '.join(columns)} FROM trials ORDER BY length(trial_id), trial_id"
        )
        return [
            TrialRecord(
                values=json.loads(values),
                metrics=metrics.get(row[0], {}),
                **dict(zip(columns, row, strict=True)),
            )
            for values, *row in rows
        ]

    def epochs(self, trial_id: str | None = None) -> list[EpochRecord]:
        """Return every metric of every epoch, of one trial or of all, in order."""
        condition, arguments = ("WHERE trial_id = ? ", (trial_id,)) if trial_id else ("", ())
        columns = ", ".join(EPOCH_COLUMNS)
        query = f"SELECT {columns} FROM epochs {condition}ORDER BY length(trial_id), trial_id, epoch, metric"
        return [EpochRecord(*row) for row in self._connection.execute(query, arguments)]

    @contextmanager
    def _event(self) -> Iterator[sqlite3.Cursor]:
        """One transaction: whole or not at all."""
        try:
            with self._connection as connection:
                yield connection.cursor()
        except sqlite3.OperationalError as error:
            raise TunerError(
                f"cannot write '{self._path}': {error}. Free space or permissions, then resume."
            ) from None


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.DatabaseError as error:
        raise TunerError(f"'{path}' is not a readable run store: {error}.") from None
    return connection


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
