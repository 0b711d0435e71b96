"""The file of a store: how it is opened, and brought up to date."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from tuner.errors import StorageError
from tuner.results.schema import SCHEMA_VERSION
from tuner.results.store_layout import MIGRATIONS


def connect(path: Path) -> sqlite3.Connection:
    """Open a file, and make it where there is none.

    A transaction is on the disk before the search goes on (SQLite's `synchronous = FULL`): on an SSD about
    0.25 ms, some hundred times less than a short epoch. Without that wait a power failure would lose the last
    epochs, though not damage the file.

    Raises:
        StorageError: the file is no store.
    """
    try:
        if not os.access(path.parent, os.W_OK):  # a run on a read-only disk can still be looked at
            return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.DatabaseError as error:
        raise damaged(path, str(error)) from None
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables up to date.

    Raises:
        StorageError: there are none, or they are of a newer version.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'").fetchone():
        raise damaged(path, "it holds no trials")
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"'{path}' has store version {version}; this tuner knows {SCHEMA_VERSION}. Update it."
        )
    for old in range(version, SCHEMA_VERSION):
        script = f"BEGIN; {MIGRATIONS[old]} PRAGMA user_version = {old + 1}; COMMIT;"
        connection.executescript(script)


def damaged(path: Path, how: str) -> StorageError:
    """The error for a store that cannot be read."""
    return StorageError(f"'{path}' is damaged: {how}. Repair it with: tuner doctor {path.parent}")
