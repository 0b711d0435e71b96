import math
import sqlite3

import pytest

from tests.results.records import FACTS, record
from tuner.errors import TunerError
from tuner.results.schema import COMPLETED, FAILED, RUNNING, EpochRecord
from tuner.results.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.sqlite"


@pytest.fixture
def store(path):
    store = Store.create(path, FACTS)
    yield store
    store.close()


def only(store):
    (trial,) = store.trials()
    return trial


def finish(store, trial_id="0001", rung=0, **changes):
    facts = {"num_params": 100, "duration_s": 2.0, "train_s": 1.0, "images": 50, **changes}
    store.finish_rung(trial_id, rung, COMPLETED, **facts)


def test_facts_are_read_back(store):
    assert store.run() == FACTS


def test_facts_are_added_and_replaced(store):
    store.set_run({"status": "completed", "run_id": "s", "counts": {"train": [1, 2]}})
    assert store.run() == {**FACTS, "status": "completed", "run_id": "s", "counts": {"train": [1, 2]}}


def test_a_begun_trial_is_running_and_has_no_score(store):
    store.start_rung(record(values={"units": 8, "rate": 0.1, "bias": True, "name": "x"}))
    trial = only(store)
    assert (trial.status, trial.score, trial.epochs, trial.num_params) == (RUNNING, None, 0, None)
    assert trial.values == {"units": 8, "rate": 0.1, "bias": True, "name": "x"}


def test_an_epoch_counts_at_once(store):
    store.start_rung(record())
    store.record_epoch("0001", 0, 1, {"loss": 0.5, "val_accuracy": 0.75}, 0.75)
    trial = only(store)
    assert (trial.epochs, trial.best_epoch, trial.score) == (1, 1, 0.75)
    assert trial.metrics == {"loss": 0.5, "val_accuracy": 0.75}


def test_an_epoch_that_is_not_the_best_leaves_score_and_metrics(store):
    store.start_rung(record())
    store.record_epoch("0001", 0, 1, {"val_accuracy": 0.75}, 0.75)
    store.record_epoch("0001", 0, 2, {"val_accuracy": 0.5}, None)
    trial = only(store)
    assert (trial.epochs, trial.best_epoch, trial.score) == (2, 1, 0.75)
    assert trial.metrics == {"val_accuracy": 0.75}


def test_an_epoch_recorded_again_replaces_the_first_record(store):
    """A worker that died after the record trains the epoch again."""
    store.start_rung(record())
    store.record_epoch("0001", 0, 1, {"val_accuracy": 0.5}, 0.5)
    store.record_epoch("0001", 1, 1, {"val_accuracy": 0.75}, 0.75)
    assert store.epochs() == [EpochRecord("0001", 1, 1, "val_accuracy", 0.75)]


def test_epochs_come_in_the_order_of_trials_epochs_and_metrics(store):
    for trial_id in ("0002", "0001"):
        store.start_rung(record(trial_id))
        for epoch in (1, 2):
            store.record_epoch(trial_id, 0, epoch, {"loss": 0.5, "acc": 0.5}, None)
    order = [(epoch.trial_id, epoch.epoch, epoch.metric) for epoch in store.epochs()]
    assert order == sorted(order)
    assert len(order) == 8


def test_the_epochs_of_one_trial_can_be_asked_for(store):
    for trial_id in ("0001", "0002"):
        store.start_rung(record(trial_id))
        store.record_epoch(trial_id, 0, 1, {"loss": 0.5}, None)
    assert [epoch.trial_id for epoch in store.epochs("0002")] == ["0002"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_becomes_null(store, value):
    store.start_rung(record())
    store.record_epoch("0001", 0, 1, {"loss": value, "val_accuracy": 0.5}, 0.5)
    assert [epoch.value for epoch in store.epochs()] == [None, 0.5]
    assert only(store).metrics == {"val_accuracy": 0.5}


def test_a_finished_rung_adds_time_and_images_to_those_before(store):
    store.start_rung(record())
    finish(store)
    store.start_rung(record(rung=1))
    finish(store, rung=1)
    trial = only(store)
    assert (trial.status, trial.rung, trial.num_params) == (COMPLETED, 1, 100)
    assert (trial.duration_s, trial.train_s, trial.images) == (4.0, 2.0, 100)


def test_a_promotion_keeps_what_is_known_of_the_trial(store):
    store.start_rung(record())
    store.record_epoch("0001", 0, 1, {"val_accuracy": 0.75}, 0.75)
    finish(store)
    store.start_rung(record(rung=1, values={"units": 99}, seed=99))
    trial = only(store)
    assert (trial.status, trial.rung, trial.score, trial.epochs) == (RUNNING, 1, 0.75, 1)
    assert (trial.values, trial.seed) == ({"units": 32}, 7)


def test_each_rung_keeps_the_score_it_ended_with(store, path):
    store.start_rung(record())
    store.record_epoch("0001", 0, 1, {"val_accuracy": 0.5}, 0.5)
    finish(store)
    store.start_rung(record(rung=1))
    store.record_epoch("0001", 1, 2, {"val_accuracy": 0.75}, 0.75)
    finish(store, rung=1)
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT rung, status, score FROM rungs ORDER BY rung").fetchall()
    connection.close()
    assert rows == [(0, COMPLETED, 0.5), (1, COMPLETED, 0.75)]


def test_a_failure_keeps_its_reason(store):
    store.start_rung(record())
    store.fail("0001", 0, "nan: the loss became nan")
    assert (only(store).status, only(store).error) == (FAILED, "nan: the loss became nan")


def test_trials_come_in_the_order_of_their_numbers(store):
    for number in (10000, 2, 9999, 1):
        store.start_rung(record(f"{number:04d}"))
    assert [trial.trial_id for trial in store.trials()] == ["0001", "0002", "9999", "10000"]


def test_everything_is_there_after_reopening(store, path):
    store.start_rung(record())
    store.record_epoch("0001", 0, 1, {"loss": 0.5}, 0.5)
    finish(store)
    before = (store.run(), store.trials(), store.epochs())
    store.close()
    again = Store(path)
    assert (again.run(), again.trials(), again.epochs()) == before
    again.close()


def test_an_event_that_fails_half_way_leaves_nothing(store):
    store.start_rung(record())
    too_large = 2**70  # for SQLite; the metric before it is inserted by then
    with pytest.raises(OverflowError):
        store.record_epoch("0001", 0, 1, {"accuracy": 0.5, "loss": too_large}, 0.5)
    assert store.epochs() == []
    assert only(store).epochs == 0


def test_an_exception_inside_an_event_leaves_nothing(store):
    def write_half():
        with store._event() as cursor:
            cursor.execute("INSERT INTO run VALUES ('half', '1')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert "half" not in store.run()


def test_the_store_can_be_written_after_a_failed_event(store):
    with pytest.raises(TypeError):
        store.set_run({"good": 1, "bad": object()})
    store.set_run({"status": "completed"})
    assert store.run()["status"] == "completed"


def test_a_store_that_is_locked_says_what_to_do(store, path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._connection.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(TunerError, match=r"cannot write '.*run\.sqlite': database is locked"):
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
        store.record_epoch("0009", 0, 1, {"loss": 0.5}, None)


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(TunerError, match=r"no run store at '.*none\.sqlite'"):
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
    with pytest.raises(TunerError, match=r"run\.sqlite' has store version 999; this tuner reads version 1"):
        Store(path)


def test_a_database_of_another_program_is_refused(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    with pytest.raises(TunerError, match="store version 0"):
        Store(path)
