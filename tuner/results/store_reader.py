"""Reading a store, whose rows agree with their checksums."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from tuner.errors import StorageError
from tuner.results.schema import EPOCH_COLUMNS, EpochRecord, TrialRecord
from tuner.results.store_file import TABLES, check, check_rows, connect, damaged, failure
from tuner.results.stored_values import decode, decode_metrics, decode_values
from tuner.training.checkpoint import Epoch

_TRIAL_COLUMNS = [field.name for field in fields(TrialRecord) if field.name not in ("values", "metrics")]


class StoreReader:
    """Opens the store of a run. Rows that do not agree with their checksums are refused.

    Raises:
        UnknownVersionError: another version made the file.
        StorageError: the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise damaged(path, "it is missing")
        if not path.stat().st_size:
            raise damaged(path, "it is empty")
        self._connection = connect(path)
        self._checked: set[str] = set()
        try:
            with self._reading():
                check(self._connection, path)
        except StorageError:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def check(self) -> None:
        """Check the whole file: its structure, the rows of all tables, and that it can be written.

        Raises:
            StorageError: it is damaged.
        """
        with self._reading():
            fault = str(self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
            if fault != "ok":
                raise ValueError(fault)
            check_rows(self._connection, self._path, TABLES)
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.rollback()

    def run(self) -> dict[str, Any]:
        """Return the facts of the run."""
        rows = self.rows("SELECT key, value FROM run", tables=("run",))
        with self._reading():
            return {key: decode(value) for key, value in rows}

    def trial(self, trial_id: str) -> TrialRecord:
        """Return one trial, with the metrics of its best epoch."""
        return self._trials("WHERE trial_id = ?", (trial_id,))[0]

    def trials(self) -> list[TrialRecord]:
        """Return all trials in the order of their numbers, with the metrics of their best epochs."""
        return self._trials("", ())

    def _trials(self, condition: str, arguments: tuple[str, ...]) -> list[TrialRecord]:
        rows = self.rows(
            f"SELECT hyperparameters, metrics, {', '.join(_TRIAL_COLUMNS)} FROM trials {condition} "
            "ORDER BY length(trial_id), trial_id",
            arguments,
            ("trials",),
        )
        with self._reading():
            return [
                TrialRecord(
                    values=decode_values(values),
                    metrics=decode_metrics(metrics),
                    **dict(zip(_TRIAL_COLUMNS, row, strict=True)),
                )
                for values, metrics, *row in rows
            ]

    def rung_scores(self) -> dict[str, list[float | None]]:
        """Return the scores of each trial at the end of its rungs, None for an unfinished rung."""
        scores: dict[str, list[float | None]] = {}
        query = "SELECT trial_id, score FROM rungs ORDER BY trial_id, rung"
        for trial_id, score in self.rows(query, tables=("rungs",)):
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
        for row in self._each_row(query, arguments, ("epochs",)):
            yield EpochRecord(*row)

    def history(self, trial_id: str) -> tuple[Epoch, ...]:
        """Return the finished epochs of a trial in order; a value that was not finite is NaN."""
        metrics: dict[int, dict[str, float]] = {}
        for record in self.epochs(trial_id):
            value = math.nan if record.value is None else record.value
            metrics.setdefault(record.epoch, {})[record.metric] = value
        query = "SELECT epoch, duration_s, train_s, images FROM costs WHERE trial_id = ? ORDER BY epoch"
        rows = self.rows(query, (trial_id,), ("costs",))
        return tuple(Epoch(metrics[number], *cost) for number, *cost in rows)

    def rows(self, query: str, arguments: tuple[Any, ...] = (), tables: Iterable[str] = TABLES) -> list[Any]:
        """Return the rows of a query.

        Args:
            tables: Those that it reads, which are checked at their first use.

        Raises:
            StorageError: the file is damaged.
        """
        return list(self._each_row(query, arguments, tables))

    def _each_row(self, query: str, arguments: tuple[Any, ...], tables: Iterable[str]) -> Iterator[Any]:
        with self._reading():
            if unchecked := [table for table in tables if table not in self._checked]:
                check_rows(self._connection, self._path, unchecked)
                self._checked.update(unchecked)
            yield from self._connection.execute(query, arguments)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise failure(self._path, error) from None
        except ValueError as error:
            raise damaged(self._path, str(error)) from None
