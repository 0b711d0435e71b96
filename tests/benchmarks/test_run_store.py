import sqlite3

import pytest

from benchmarks.run_store import FirstTrial, metric_by_epoch, select, validation_s


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "run.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE epochs (trial_id, epoch, metric, rung, value)")
    rows = [
        ("0000", 1, "val_accuracy", 0, 0.5),
        ("0000", 1, "loss", 0, 0.7),
        ("0000", 2, "val_accuracy", 0, None),
    ]
    connection.executemany("INSERT INTO epochs VALUES (?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


def test_only_epochs_with_a_value_of_the_metric_count(store):
    assert metric_by_epoch(store, "val_accuracy") == {("0000", 1): 0.5}


def test_a_store_that_is_not_there_or_being_made_holds_nothing(tmp_path):
    assert select(tmp_path / "missing.sqlite", "SELECT 1") == []
    (tmp_path / "empty.sqlite").touch()
    assert select(tmp_path / "empty.sqlite", "SELECT * FROM trials") == []


def test_a_store_is_never_written(store):
    assert select(store, "DELETE FROM epochs") == []
    assert len(select(store, "SELECT * FROM epochs")) == 3


def test_validation_is_what_epochs_took_beside_their_training(store):
    assert validation_s(store) is None
    connection = sqlite3.connect(store)
    connection.execute("CREATE TABLE costs (duration_s, train_s)")
    connection.executemany("INSERT INTO costs VALUES (?, ?)", [(5.0, 4.0), (4.5, 4.0)])
    connection.commit()
    connection.close()
    assert validation_s(store) == 1.5


def test_the_first_trial_is_seen_when_it_begins(store):
    with FirstTrial(store) as first_trial:
        assert first_trial.after_s is None
        connection = sqlite3.connect(store)
        connection.executescript("CREATE TABLE trials (trial_id); INSERT INTO trials VALUES ('0000');")
        connection.close()
        first_trial._thread.join(60)
    assert first_trial.after_s is not None
