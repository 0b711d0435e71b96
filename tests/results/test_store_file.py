"""The file of the store: shared, damaged, of another version, backed up."""

import sqlite3

import pytest

from tests.results.records import epoch, record
from tuner.errors import TunerError, UnknownVersionError
from tuner.results.schema import BACKUP_FILE
from tuner.results.store import Store


def test_a_store_that_is_locked_says_what_to_do(store, path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._connection.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(TunerError, match=r"run\.sqlite'.*database is locked"):
        store.set_run({"status": "completed"})
    other.close()


def test_a_reader_sees_a_run_under_way(store, path):
    store.start_rung(record())
    reader = Store(path)
    store.start_rung(record("0002"))
    assert len(reader.trials()) == 2
    reader.close()


def test_an_epoch_of_a_trial_never_begun_is_refused(store):
    with pytest.raises(sqlite3.IntegrityError):
        epoch(store, "0009", 0, 1, {"loss": 0.5}, None)


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(TunerError, match=r"none\.sqlite'.*missing"):
        Store(tmp_path / "none.sqlite")


def test_looking_for_a_missing_store_does_not_make_one(tmp_path):
    with pytest.raises(TunerError):
        Store(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"not a database, but long enough to look at" * 50], ids=["empty", "garbage"]
)
def test_a_damaged_store_is_named(path, content):
    """Keras Tuner's own files, when cut to nothing, end in a JSONDecodeError."""
    path.write_bytes(content)
    with pytest.raises(TunerError, match=r"run\.sqlite'"):
        Store(path)


def test_a_store_cut_short_is_named(store, path):
    for number in range(200):
        store.start_rung(record(f"{number:04d}", values={"name": "x" * 200}))
    store.close()
    path.write_bytes(path.read_bytes()[:8192])
    with pytest.raises(TunerError, match=r"run\.sqlite'"):
        Store(path).trials()


def test_a_store_of_another_version_is_refused(store, path):
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(UnknownVersionError, match=r"run\.sqlite'\D+\b999\b\D+\b4\b"):
        Store(path)


def test_a_database_of_another_program_is_refused(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    with pytest.raises(TunerError, match=r"run\.sqlite'.*no store"):
        Store(path)


def test_a_backup_holds_what_the_store_holds(store, path):
    store.start_rung(record())
    store.back_up()
    store.start_rung(record("0002"))
    store.back_up()
    copy = Store(path.with_name(BACKUP_FILE))
    assert (copy.run(), copy.trials()) == (store.run(), store.trials())
    copy.close()
