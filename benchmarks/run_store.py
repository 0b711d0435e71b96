"""A run's store, looked at from outside while the search writes it."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

_LOOK_EVERY_S = 0.1


def select(store: Path, query: str, arguments: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query; none where the store is not there yet or is just being made."""
    if not store.is_file():
        return []
    try:
        connection = sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return []
    try:
        return connection.execute(query, arguments).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def metric_by_epoch(store: Path, metric: str) -> dict[tuple[str, int], float]:
    """Return trial and epoch -> value, of each epoch that has one."""
    rows = select(
        store,
        "SELECT trial_id, epoch, value FROM epochs WHERE metric = ? AND value IS NOT NULL "
        "ORDER BY length(trial_id), trial_id, epoch",
        (metric,),
    )
    return {(trial_id, epoch): value for trial_id, epoch, value in rows}


def validation_s(store: Path) -> float | None:
    """Return the seconds of all epochs beside their training steps; None where they are not on record."""
    rows = select(store, "SELECT sum(duration_s - train_s) FROM costs")
    return rows[0][0] if rows else None


class FirstTrial:
    """Looks at a store until the block is left, and notes when the first trial began."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._start = time.perf_counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.after_s: float | None = None
        """Seconds from the making of this object; None where no trial was seen."""

    def __enter__(self) -> FirstTrial:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while self.after_s is None and not self._ended.wait(_LOOK_EVERY_S):
            if select(self._store, "SELECT 1 FROM trials LIMIT 1"):
                self.after_s = time.perf_counter() - self._start
