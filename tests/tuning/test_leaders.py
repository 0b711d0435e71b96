"""The best trials, as they change."""

from dataclasses import replace

from tests.results.records import record
from tuner.results.schema import FAILED, RUNNING
from tuner.tuning.leaders import Leaders


def leaders_of(*scores):
    trials = {f"{i:04d}": record(f"{i:04d}", score=score) for i, score in enumerate(scores, start=1)}
    return trials, Leaders(trials, "max", 2)


def change(trials, leaders, trial_id, **facts):
    trials[trial_id] = replace(trials[trial_id], **facts)
    leaders.update(trials[trial_id])
    return [trial.trial_id for trial in leaders.trials]


def test_a_trial_takes_its_place():
    trials, leaders = leaders_of(0.5, 0.7, 0.6)
    assert [trial.trial_id for trial in leaders.trials] == ["0002", "0003"]
    assert change(trials, leaders, "0001", score=0.8) == ["0001", "0002"]


def test_one_that_fails_leaves_room_for_any_other():
    trials, leaders = leaders_of(0.5, 0.7, 0.6)
    assert change(trials, leaders, "0002", status=FAILED) == ["0003", "0001"]


def test_one_that_begins_again_has_no_score_until_it_has():
    trials, leaders = leaders_of(0.5, 0.7, 0.6)
    assert change(trials, leaders, "0002", status=RUNNING, score=None) == ["0003", "0001"]
    assert change(trials, leaders, "0002", score=0.7) == ["0002", "0003"]
