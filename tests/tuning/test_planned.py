"""What comes before sampling: configurations to try first, and trials to try again."""

from functools import cache

import pytest

from tests.tuning.oracle_runs import (
    SEARCHES,
    TRIALS,
    every_fourth,
    never,
    oracle_for,
    restore_cut,
    run_oracle,
    small_space,
)
from tuner.tuning.oracles.rungs import Standing

FIRST = {"units": 500, "activation": "tanh"}
SECOND = {"units": 200, "activation": "gelu"}


@pytest.fixture(params=SEARCHES)
def search(request):
    return request.param


def first_rungs(steps):
    return [step.values for step in steps if step.rung == 0]


def end(oracle, trial, score):
    trial.status, trial.score = ("FAILED", None) if score is None else ("COMPLETED", score)
    oracle.end_trial(trial)


def rung(trial):
    return trial.hyperparameters.values["tuner/round"]


@cache
def with_two_first(search):
    return run_oracle(oracle_for(search, small_space(), [FIRST, SECOND], max_trials=9))


def test_initial_configurations_are_tried_first_in_their_order_and_count_as_trials(search):
    tried = first_rungs(with_two_first(search))
    assert tried[:2] == [FIRST, SECOND]
    assert len(tried) == 9
    assert (tried.count(FIRST), tried.count(SECOND)) == (1, 1)


def test_an_initial_configuration_given_twice_is_tried_once(search):
    tried = first_rungs(run_oracle(oracle_for(search, small_space(), [FIRST, FIRST, SECOND], max_trials=9)))
    assert tried[:2] == [FIRST, SECOND]
    assert tried.count(FIRST) == 1


def test_inactive_values_of_an_initial_configuration_are_left_out():
    initial = {"units": 5, "rate": 1e-3, "optimizer": "adam", "momentum": 0.5}
    steps = run_oracle(oracle_for("random", None, [initial], max_trials=1))
    assert steps[0].values == {"units": 5, "rate": 1e-3, "optimizer": "adam"}


@pytest.mark.parametrize("ended", range(4))
def test_a_restored_search_goes_on_with_its_initial_configurations(search, ended):
    def oracle():
        return oracle_for(search, small_space(), [FIRST, SECOND], max_trials=9)

    uncut = with_two_first(search)
    restored = oracle()
    restore_cut(restored, uncut, ended, ended + 1)
    assert run_oracle(restored) == uncut[ended:]


def test_a_failed_trial_that_is_retried_comes_before_any_other(search):
    oracle = oracle_for(search)
    failed = oracle.create_trial("worker-0")
    end(oracle, failed, None)
    oracle.retry(failed.trial_id)
    assert oracle.create_trial("worker-0").trial_id == failed.trial_id
    assert oracle.create_trial("worker-1").trial_id != failed.trial_id


def test_a_running_trial_that_is_retried_is_handed_out_to_another_worker():
    oracle = oracle_for("random")
    trial = oracle.create_trial("worker-0")
    oracle.retry(trial.trial_id)
    assert not oracle.ongoing_trials
    assert oracle.create_trial("worker-1").trial_id == trial.trial_id
    assert list(oracle.ongoing_trials) == ["worker-1"]


def test_a_trial_retried_twice_is_handed_out_once():
    oracle = oracle_for("random")
    trial = oracle.create_trial("worker-0")
    oracle.retry(trial.trial_id)
    oracle.retry(trial.trial_id)
    handed_out = [oracle.create_trial(f"worker-{number}").trial_id for number in range(3)]
    assert handed_out.count(trial.trial_id) == 1


def test_a_retried_trial_stays_in_its_rung():
    oracle = oracle_for("hyperband")
    while rung(trial := oracle.create_trial("worker-0")) == 0:
        end(oracle, trial, 0.5)
    oracle.retry(trial.trial_id)
    again = oracle.create_trial("worker-0")
    assert (again.trial_id, rung(again)) == (trial.trial_id, 1)


def test_a_restored_trial_that_failed_can_be_retried():
    oracle = oracle_for("random", small_space())
    oracle.restore("0001", FIRST, Standing(0, 0, "FAILED"))
    oracle.retry("0001")
    assert oracle.create_trial("worker-0").trial_id == "0001"


def test_the_state_of_a_retried_trial_is_kept():
    oracle = oracle_for("random")
    trial = oracle.create_trial("worker-0")
    end(oracle, trial, None)
    assert not oracle.may_continue(trial.trial_id)
    oracle.retry(trial.trial_id)
    assert oracle.may_continue(trial.trial_id)


def test_a_retried_trial_needs_no_replacement(search):
    oracle = oracle_for(search)
    trial = oracle.create_trial("worker-0")
    end(oracle, trial, None)
    oracle.retry(trial.trial_id)
    run_oracle(oracle, fails=never)
    assert len(oracle.trials) == TRIALS


def test_of_equal_scores_the_earlier_trial_is_promoted_whatever_the_width_of_its_number():
    oracle = oracle_for("hyperband", max_trials=2, max_epochs=3)
    for number, values in ((9999, FIRST), (10000, SECOND)):
        oracle.restore(f"{number}", values, Standing(0, 0, "COMPLETED", 0.5))
    assert oracle.create_trial("worker-0").trial_id == "9999"


def test_a_search_of_thousands_of_trials_keeps_its_plan():
    oracle = oracle_for("hyperband", max_trials=3000)
    steps = run_oracle(oracle)
    assert len(first_rungs(steps)) == 3000
    assert sum(step.epochs - step.initial_epoch for step in steps) == oracle.plan.epochs


@pytest.mark.parametrize("fails", [never, every_fourth])
def test_what_is_peeked_at_is_tried_as_it_would_be_otherwise(search, fails):
    """Only what an algorithm learns from scores may come out another way."""
    peeking, plain = (oracle_for(search, max_trials=12) for _ in range(2))
    peeked = {}

    def look(trial_id, rung):
        if (following := peeking.peek()) is not None:
            values = {name: value for name, value in following[1].items() if not name.startswith("tuner/")}
            peeked[following[0]] = values
        return fails(trial_id, rung)

    steps = run_oracle(peeking, fails=look)
    assert peeked
    assert peeked.items() <= {step.trial_id: step.values for step in steps}.items()
    if "tpe" not in search and "bayesian" not in search:
        assert steps == run_oracle(plain, fails=fails)


def test_what_is_peeked_at_comes_after_a_trial_that_has_to_be_repeated():
    oracle = oracle_for("random", max_trials=3)
    first = oracle.create_trial("worker-0")
    following = oracle.peek()
    oracle.retry(first.trial_id)
    assert oracle.create_trial("worker-0").trial_id == first.trial_id
    end(oracle, first, 0.5)
    trial = oracle.create_trial("worker-0")
    assert (trial.trial_id, trial.hyperparameters.values) == following


def test_behind_the_last_trial_there_is_nothing_to_peek_at():
    oracle = oracle_for("random", max_trials=1)
    oracle.create_trial("worker-0")
    assert oracle.peek() is None
