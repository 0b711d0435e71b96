import math
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.results.records import FACTS, epoch, record
from tuner.results.schema import COMPLETED, FAILED, RUNNING, STOPPED, EpochRecord
from tuner.results.store import Store


def only(store):
    (trial,) = store.trials()
    return trial


def finish(store, trial_id="0001", rung=0):
    store.finish_rung(trial_id, rung, COMPLETED, num_params=100, overhead_s=0.25)


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
    epoch(store, "0001", 0, 1, {"loss": 0.5, "val_accuracy": 0.75}, 0.75)
    trial = only(store)
    assert (trial.epochs, trial.best_epoch, trial.score) == (1, 1, 0.75)
    assert trial.metrics == {"loss": 0.5, "val_accuracy": 0.75}


def test_an_epoch_that_is_not_the_best_leaves_score_and_metrics(store):
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"val_accuracy": 0.75}, 0.75)
    epoch(store, "0001", 0, 2, {"val_accuracy": 0.5}, None)
    trial = only(store)
    assert (trial.epochs, trial.best_epoch, trial.score) == (2, 1, 0.75)
    assert trial.metrics == {"val_accuracy": 0.75}


def test_an_epoch_recorded_again_replaces_the_first_record(store):
    """A worker that died after the record trains the epoch again."""
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"val_accuracy": 0.5}, 0.5)
    epoch(store, "0001", 1, 1, {"val_accuracy": 0.75}, 0.75)
    assert store.epochs() == [EpochRecord("0001", 1, 1, "val_accuracy", 0.75)]


def test_epochs_come_in_the_order_of_trials_epochs_and_metrics(store):
    for trial_id in ("0002", "0001"):
        store.start_rung(record(trial_id))
        for number in (1, 2):
            epoch(store, trial_id, 0, number, {"loss": 0.5, "acc": 0.5}, None)
    order = [(each.trial_id, each.epoch, each.metric) for each in store.epochs()]
    assert order == sorted(order)
    assert len(order) == 8


def test_the_epochs_of_one_trial_can_be_asked_for(store):
    for trial_id in ("0001", "0002"):
        store.start_rung(record(trial_id))
        epoch(store, trial_id, 0, 1, {"loss": 0.5}, None)
    assert [each.trial_id for each in store.epochs("0002")] == ["0002"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_becomes_null(store, value):
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"loss": value, "val_accuracy": 0.5}, 0.5)
    assert [each.value for each in store.epochs()] == [None, 0.5]
    assert only(store).metrics == {"val_accuracy": 0.5}


def test_epochs_and_rungs_add_their_time_and_images_to_those_before(store):
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"loss": 0.5}, None)
    finish(store)
    store.start_rung(record(rung=1))
    epoch(store, "0001", 1, 2, {"loss": 0.5}, None)
    finish(store, rung=1)
    trial = only(store)
    assert (trial.status, trial.rung, trial.num_params) == (COMPLETED, 1, 100)
    assert (trial.duration_s, trial.train_s, trial.images) == (2.5, 1.0, 100)


def test_attempts_count_until_an_epoch_is_finished(store):
    for _ in range(3):
        store.start_rung(record())
    assert only(store).attempts == 3
    epoch(store, "0001", 0, 1, {"loss": 0.5}, None)
    assert only(store).attempts == 0


def test_a_trial_cut_short_keeps_what_it_has(store):
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"val_accuracy": 0.75}, 0.75)
    store.start_rung(record())
    store.stop("0001")
    trial = only(store)
    assert (trial.status, trial.attempts, trial.epochs, trial.score) == (STOPPED, 0, 1, 0.75)


def test_a_trial_that_begins_again_forgets_all_that_came_of_it(store):
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"val_accuracy": 0.75}, 0.75)
    store.fail("0001", 0, "oom: too large")
    store.restart("0001", 32)
    trial = only(store)
    assert (trial.status, trial.batch_size, trial.error) == (STOPPED, 32, "")
    assert (trial.epochs, trial.score, trial.best_epoch, store.epochs()) == (0, None, None, [])
    assert (trial.duration_s, trial.train_s, trial.images) == (0, 0, 0)


def test_a_promotion_keeps_what_is_known_of_the_trial(store):
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"val_accuracy": 0.75}, 0.75)
    finish(store)
    store.start_rung(record(rung=1, values={"units": 99}, seed=99))
    trial = only(store)
    assert (trial.status, trial.rung, trial.score, trial.epochs) == (RUNNING, 1, 0.75, 1)
    assert (trial.values, trial.seed) == ({"units": 32}, 7)


def test_each_rung_keeps_the_score_it_ended_with(store, path):
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"val_accuracy": 0.5}, 0.5)
    finish(store)
    store.start_rung(record(rung=1))
    epoch(store, "0001", 1, 2, {"val_accuracy": 0.75}, 0.75)
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
    epoch(store, "0001", 0, 1, {"loss": 0.5}, 0.5)
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
        epoch(store, "0001", 0, 1, {"accuracy": 0.5, "loss": too_large}, 0.5)
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


def test_the_score_at_the_end_of_each_rung_is_kept(store):
    """The score of the trial itself is the best so far."""
    store.start_rung(record())
    epoch(store, "0001", 0, 1, {"val_accuracy": 0.5}, 0.5)
    finish(store)
    store.start_rung(record(rung=1))
    epoch(store, "0001", 1, 2, {"val_accuracy": 0.75}, 0.75)
    finish(store, rung=1)
    store.start_rung(record("0002"))
    assert store.rung_scores() == {"0001": [0.5, 0.75], "0002": [None]}


def test_a_store_that_is_there_has_its_tables_and_facts(tmp_path):
    paths = [tmp_path / str(number) / "run.sqlite" for number in range(30)]

    def facts(path):
        while not path.exists():
            pass
        store = Store(path)
        try:
            return store.run()
        finally:
            store.close()

    with ThreadPoolExecutor(1) as reader:
        for path in paths:
            found = reader.submit(facts, path)
            Store.create(path, {"seed": 7}).close()
            assert found.result() == {"seed": 7}
