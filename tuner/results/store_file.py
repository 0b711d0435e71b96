"""The file of a store: its tables with their checksums, how it is opened, and its checks."""

from __future__ import annotations

import marshal
import os
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from pathlib import Path

from tuner.errors import StorageError, UnknownVersionError
from tuner.results.schema import COMPLETED, FAILED, RUNNING, SCHEMA_VERSION, STOPPED

# Declarations of columns, which take values of their own type only; {} stands for the name.
_TEXT = "TEXT NOT NULL CHECK (typeof({}) = 'text')"
_INTEGER = "INTEGER NOT NULL CHECK (typeof({}) = 'integer')"
_INTEGER_OR_NULL = "INTEGER CHECK (typeof({}) IN ('integer', 'null'))"
_REAL = "REAL NOT NULL CHECK (typeof({}) = 'real')"
_REAL_OR_NULL = "REAL CHECK (typeof({}) IN ('real', 'null'))"
_ID = "TEXT NOT NULL CHECK (typeof({0}) = 'text' AND length({0}) BETWEEN 1 AND 9 AND {0} NOT GLOB '*[^0-9]*')"
_DATE = "TEXT NOT NULL CHECK ({} GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]*')"
_OF_TRIAL = f"{_ID} REFERENCES trials"
_STATUS = f"TEXT NOT NULL CHECK ({{}} IN ('{RUNNING}', '{COMPLETED}', '{FAILED}', '{STOPPED}'))"
# Each table: its columns, then its primary key.
_TABLES = {
    "run": ({"key": _TEXT, "value": _TEXT}, "key"),
    "trials": (
        {
            "trial_id": _ID,
            "hyperparameters": _TEXT,
            "status": _STATUS,
            "bracket": _INTEGER,
            "rung": _INTEGER,
            "seed": _INTEGER,
            "batch_size": _INTEGER,
            "attempts": _INTEGER,
            "started_at": _DATE,
            "score": _REAL_OR_NULL,
            "best_epoch": _INTEGER_OR_NULL,
            "epochs": _INTEGER,
            "duration_s": _REAL,
            "train_s": _REAL,
            "images": _INTEGER,
            "num_params": _INTEGER_OR_NULL,
            "error": _TEXT,
            "known_epochs": _INTEGER,
            "metrics": _TEXT,
        },
        "trial_id",
    ),
    "rungs": (
        {"trial_id": _OF_TRIAL, "rung": _INTEGER, "status": _STATUS, "score": _REAL_OR_NULL},
        "trial_id, rung",
    ),
    "epochs": (
        {"trial_id": _OF_TRIAL, "epoch": _INTEGER, "metric": _TEXT, "rung": _INTEGER, "value": _REAL_OR_NULL},
        "trial_id, epoch, metric",
    ),
    # The cost of each epoch; `spent_s` is the time of the run at its end.
    "costs": (
        {
            "trial_id": _OF_TRIAL,
            "epoch": _INTEGER,
            "duration_s": _REAL,
            "train_s": _REAL,
            "images": _INTEGER,
            "spent_s": _REAL,
        },
        "trial_id, epoch",
    ),
}
# Errors of SQLite that say nothing of the file itself.
_UNWRITTEN = (
    *("SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED"),
    *("SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHM"),
    *("SQLITE_IOERR_LOCK", "SQLITE_IOERR_DELETE"),
)

TABLES = tuple(_TABLES)
_SUM = "checksums"


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a store in an empty file.

    Each table has a row in `checksums`: the sum of the CRC-32 of its rows, which triggers keep. Damage to any
    row changes it, and so does a row that is missing.
    """
    connection.executescript(f"BEGIN; {_schema()} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def connect(path: Path) -> sqlite3.Connection:
    """Open a file, or create it. A reader without write permission gets a copy in memory.

    SQLite writes each transaction to the disk before the search continues (`synchronous = FULL`). This takes
    about 0.25 ms on an SSD, a hundredth of a short epoch. Without it, a power failure loses the last epochs,
    though it never damages the file.

    Raises:
        StorageError: the file is not a store, or changes too fast to be copied.
    """
    try:
        if not os.access(path.parent, os.W_OK):
            connection = _copy_in_memory(path)
        else:
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # INSERT OR REPLACE counts as a deletion for the checksums only with this.
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.create_function("row_checksum", -1, _row_checksum, deterministic=True)
    except sqlite3.DatabaseError as error:
        raise failure(path, error) from None
    except UnicodeDecodeError:  # of the text of its own error
        raise damaged(path, "its text is no UTF-8") from None
    return connection


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that this program cannot read, or whose structure is damaged.

    Raises:
        UnknownVersionError: another version made the file.
        StorageError: the file is damaged, or no store.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION or 0 < version < SCHEMA_VERSION:
        age, advice = (
            ("a newer", "Update tuner") if version > SCHEMA_VERSION else ("an older", "Read it there")
        )
        raise UnknownVersionError(
            f"'{path}' was made by {age} version of tuner: its store has version {version}, and this tuner "
            f"reads {SCHEMA_VERSION}. {advice}."
        )
    if version != SCHEMA_VERSION:
        raise damaged(path, f"it is no store of a run, since its version is {version}")
    if _objects(connection) != _expected_objects():
        raise damaged(path, "its tables are not those of a run")
    fault = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if fault != "ok":
        raise damaged(path, fault)


def check_rows(connection: sqlite3.Connection, path: Path, tables: Iterable[str]) -> None:
    """Compare the rows of tables with their checksums.

    Raises:
        StorageError: a row was changed or lost by something else than a store.
    """
    # In one transaction, since a search may write meanwhile.
    connection.execute("BEGIN")
    try:
        for table in tables:
            count, found = connection.execute(
                f"SELECT count(*), coalesce(sum({_row(table)}), 0) FROM {table}"
            ).fetchone()
            kept = connection.execute(f"SELECT rows, sum FROM {_SUM} WHERE name = ?", (table,)).fetchone()
            if kept != (count, found):
                raise damaged(path, f"the rows of its table {table} do not agree with their checksum")
    finally:
        connection.rollback()


def copy_to(path: Path, connection: sqlite3.Connection) -> None:
    """Copy a store to a new file.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        with closing(sqlite3.connect(path)) as copy:
            connection.backup(copy)
    except sqlite3.DatabaseError as error:
        raise OSError(str(error)) from None


def failure(path: Path, error: sqlite3.DatabaseError) -> StorageError:
    """Return the error for a file that SQLite cannot use: for want of space or permissions, else damaged."""
    if getattr(error, "sqlite_errorname", "").startswith(_UNWRITTEN):
        return StorageError(f"cannot write '{path}': {error}. Free space or permissions, then go on.")
    return damaged(path, str(error))


def damaged(path: Path, how: str) -> StorageError:
    """Return the error for a store that cannot be read."""
    return StorageError(f"'{path}' is damaged: {how}. Repair it with: tuner doctor {path.parent}")


@cache
def _schema() -> str:
    """Return the SQL that makes all tables and triggers."""
    lines = [f"CREATE TABLE {_SUM} (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, sum INTEGER NOT NULL);"]
    for name, (columns, key) in _TABLES.items():
        declared = ", ".join(f"{column} {kind.format(column)}" for column, kind in columns.items())
        lines.append(f"CREATE TABLE {name} ({declared}, PRIMARY KEY ({key})) WITHOUT ROWID;")
        lines.append(f"INSERT INTO {_SUM} VALUES ('{name}', 0, 0);")
        new, old = _row(name, "NEW."), _row(name, "OLD.")
        changes = {
            "INSERT": ("rows + 1", new),
            "DELETE": ("rows - 1", f"-{old}"),
            "UPDATE": ("rows", f"{new} - {old}"),
        }
        lines += [
            f"CREATE TRIGGER {name}_{event.lower()} AFTER {event} ON {name} BEGIN UPDATE {_SUM} SET "
            f"rows = {rows}, sum = sum + {change} WHERE name = '{name}'; END;"
            for event, (rows, change) in changes.items()
        ]
    return "\n".join(lines)


def _row(table: str, prefix: str = "") -> str:
    return f"row_checksum({', '.join(prefix + column for column in _TABLES[table][0])})"


def _row_checksum(*values: str | int | float | None) -> int:
    # The second format of marshal is the same in every version of Python, and twice as fast as text.
    return zlib.crc32(marshal.dumps(values, 2))


def _objects(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return all tables, triggers, views and indices of a file with the SQL that made them."""
    return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


@cache
def _expected_objects() -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        create_tables(connection)
        return _objects(connection)


def _copy_in_memory(path: Path) -> sqlite3.Connection:
    """Read a store that this user cannot write, with the newest events, which lie in a file beside it."""
    files = [path, path.with_name(f"{path.name}-wal")]
    for _ in range(5):
        before = [_stamp(file) for file in files]
        with tempfile.TemporaryDirectory(prefix="tuner-") as folder:
            for file in files:
                if file.exists():
                    shutil.copyfile(file, Path(folder, file.name))
            if [_stamp(file) for file in files] != before:
                continue
            connection = sqlite3.connect(":memory:")
            with closing(sqlite3.connect(Path(folder, path.name))) as copied:
                copied.backup(connection)
            return connection
    raise StorageError(f"'{path}' is written too often to be read without write permission. Try again later.")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size
