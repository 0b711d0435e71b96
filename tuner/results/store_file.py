"""The file of a store: its tables, and how it is opened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from tuner.errors import StorageError
from tuner.results.schema import SCHEMA_VERSION

SCHEMA_SQL = """
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    trial_id TEXT PRIMARY KEY, hyperparameters TEXT NOT NULL, status TEXT NOT NULL,
    bracket INTEGER NOT NULL, rung INTEGER NOT NULL, seed INTEGER NOT NULL, batch_size INTEGER NOT NULL,
    attempts INTEGER NOT NULL, started_at TEXT NOT NULL, score REAL,
    best_epoch INTEGER, epochs INTEGER NOT NULL, duration_s REAL NOT NULL,
    train_s REAL NOT NULL, images INTEGER NOT NULL, num_params INTEGER, error TEXT NOT NULL,
    known_epochs INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE rungs (
    trial_id TEXT NOT NULL REFERENCES trials, rung INTEGER NOT NULL, status TEXT NOT NULL, score REAL,
    PRIMARY KEY (trial_id, rung)
) WITHOUT ROWID;
CREATE TABLE epochs (
    trial_id TEXT NOT NULL REFERENCES trials, epoch INTEGER NOT NULL, metric TEXT NOT NULL,
    rung INTEGER NOT NULL, value REAL, PRIMARY KEY (trial_id, epoch, metric)
) WITHOUT ROWID;
CREATE TABLE costs (
    trial_id TEXT NOT NULL REFERENCES trials, epoch INTEGER NOT NULL, duration_s REAL NOT NULL,
    train_s REAL NOT NULL, images INTEGER NOT NULL, spent_s REAL NOT NULL,
    PRIMARY KEY (trial_id, epoch)
) WITHOUT ROWID;
"""
"""`costs` holds the cost of each epoch; `spent_s` is the time of the run at its end."""

_UNWRITTEN = (
    *("SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED"),
    *("SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHM"),
    *("SQLITE_IOERR_LOCK", "SQLITE_IOERR_DELETE"),
)


def connect(path: Path) -> sqlite3.Connection:
    """Open a file, or create it.

    SQLite writes each transaction to the disk before the search continues (`synchronous = FULL`). This takes
    about 0.25 ms on an SSD, a hundredth of a short epoch. Without it, a power failure loses the last epochs,
    though it never damages the file.

    Raises:
        StorageError: the file is not a store.
    """
    try:
        if not os.access(path.parent, os.W_OK):  # a run on a read-only disk can be read
            return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.DatabaseError as error:
        raise failure(path, error) from None
    return connection


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that this program cannot read.

    Raises:
        StorageError: the file holds no trials, or comes from a newer version.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'").fetchone():
        raise damaged(path, "it holds no trials")
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"'{path}' has store version {version}; this tuner knows {SCHEMA_VERSION}. Update it."
        )


def failure(path: Path, error: sqlite3.DatabaseError) -> StorageError:
    """Return the error for a file that SQLite cannot use: for want of space or permissions, else damaged."""
    if getattr(error, "sqlite_errorname", "").startswith(_UNWRITTEN):
        return StorageError(f"cannot write '{path}': {error}. Free space or permissions, then go on.")
    return damaged(path, str(error))


def damaged(path: Path, how: str) -> StorageError:
    """Return the error for a store that cannot be read."""
    return StorageError(f"'{path}' is damaged: {how}. Repair it with: tuner doctor {path.parent}")
