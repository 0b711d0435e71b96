import pandas as pd
import pytest

from tests.results.records import FACTS, record
from tuner.analysis.best_so_far import best_so_far, halvings, score_after
from tuner.results.query import open_run
from tuner.results.schema import STORE_FILE
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone


def run(path, epochs, direction="max", failed=()):
    """A run with these epochs: (trial, epoch, score, seconds of the run)."""
    path.mkdir()
    store = Store.create(path / STORE_FILE, {**FACTS, "objective": "val_x", "direction": direction})
    for trial_id in dict.fromkeys(trial_id for trial_id, *_ in epochs):
        store.start_rung(record(trial_id))
    for trial_id, number, score, spent_s in epochs:
        done = EpochDone(trial_id, 0, number, Epoch({"val_x": score}, 1.0, 0.5, 50))
        store.record_epoch(done, score, {"spent_s": spent_s})
    for trial_id in failed:
        store.fail(trial_id, 0, "nan: loss")
    store.close()
    return open_run(path)


def rows(steps):
    return list(steps.itertuples(index=False, name=None))


def test_scores_are_taken_in_the_order_of_time(tmp_path):
    found = best_so_far(run(tmp_path / "r", [("0001", 1, 0.5, 1), ("0001", 2, 0.9, 3), ("0002", 1, 0.7, 2)]))
    assert rows(found) == [(1, 1.0, 0.5), (2, 2.0, 0.7), (2, 3.0, 0.9)]


def test_less_is_better_where_the_objective_says_so(tmp_path):
    epochs = [("0001", 1, 0.5, 1), ("0002", 1, 0.7, 2), ("0003", 1, 0.2, 3)]
    assert best_so_far(run(tmp_path / "r", epochs, "min"))["score"].tolist() == [0.5, 0.5, 0.2]


def test_a_trial_that_failed_counts_as_begun_and_its_score_does_not(tmp_path):
    epochs = [("0001", 1, 0.9, 1), ("0002", 1, 0.7, 2)]
    assert rows(best_so_far(run(tmp_path / "r", epochs, failed=["0001"]))) == [(2, 2.0, 0.7)]


def test_a_run_of_which_no_epoch_is_over_has_no_curve(tmp_path):
    assert best_so_far(run(tmp_path / "r", [])).empty


@pytest.mark.parametrize(
    ("limits", "score"),
    [
        ({}, 0.9),
        ({"trials": 1}, 0.5),
        ({"trials": 2}, 0.9),
        ({"seconds": 2.5}, 0.7),
        ({"seconds": 0.5}, None),
    ],
)
def test_the_score_after_some_trials_or_seconds_is_the_last_within_them(limits, score):
    steps = pd.DataFrame({"trials": [1, 2, 2], "seconds": [1.0, 2.0, 3.0], "score": [0.5, 0.7, 0.9]})
    assert score_after(steps, **limits) == score


def test_points_on_the_way_are_half_of_the_way_each():
    assert halvings(8, 3) == [2, 4, 8]
