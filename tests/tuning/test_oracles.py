"""The contract of every algorithm, present and future, on trials whose score is known in closed form."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tuning.oracle_runs import (
    SEARCHES,
    TRIALS,
    closeness,
    config_for,
    every_fourth,
    oracle_for,
    run_oracle,
    searched,
    small_space,
)
from tuner.spaces.configurations import key
from tuner.tuning.oracles import make_oracle, make_plan

# Algorithms that walk the space in a fixed order.
SEEDLESS = {"grid"}
# One for each way to lay a plan; how configurations are sampled has no part in what a budget is.
PLANS = ("hyperband", "asha", "random")
# Promotes before a rung is full, so some trials that do not stay among the best: rungs hold the plan's trials
# or more.
EAGER = tuple(name for name in SEARCHES if name.startswith("asha"))


@pytest.fixture(params=SEARCHES)
def algorithm(request):
    return request.param


def quota(plan):
    return {
        (index, number): rung.trials
        for index, bracket in enumerate(plan.brackets)
        for number, rung in enumerate(bracket.rungs)
    }


def completed(steps):
    """Trials that completed each rung and failed in none."""
    failed = {step.trial_id for step in steps if step.score is None}
    return Counter((step.bracket, step.rung) for step in steps if step.trial_id not in failed)


def kept(steps, oracle):
    """Whether each rung got the trials of the plan: no more, but for those promoted early."""
    trials, planned = completed(steps), quota(oracle.plan)
    if any(bracket.factor for bracket in oracle.plan.brackets):
        return trials[0, 0] == planned[0, 0] and all(trials[rung] >= planned[rung] for rung in planned)
    return trials == planned


def configurations(steps):
    return [key(step.values) for step in steps if step.rung == 0]


def last_rung(steps, oracle):
    return [step for step in steps if step.rung == len(oracle.plan.brackets[step.bracket].rungs) - 1]


def test_max_trials_is_the_number_of_distinct_configurations(algorithm):
    """Keras Tuner's Hyperband has no max_trials and tries what its brackets need."""
    oracle, steps = searched(algorithm)
    tried = configurations(steps)
    assert (len(tried), len(set(tried))) == (TRIALS, TRIALS)
    assert not oracle.exhausted


def test_the_plan_is_kept_to_the_trial_when_nothing_fails(algorithm):
    oracle, steps = searched(algorithm)
    assert kept(steps, oracle)


def test_several_workers_keep_the_plan_to_the_trial(algorithm):
    oracle = oracle_for(algorithm)
    assert kept(run_oracle(oracle, workers=3), oracle)


@pytest.mark.parametrize("algorithm", sorted(set(SEARCHES) - set(EAGER)))
def test_the_plan_is_kept_to_the_epoch_when_nothing_fails(algorithm):
    oracle, steps = searched(algorithm)
    assert sum(step.epochs - step.initial_epoch for step in steps) == oracle.plan.epochs


@given(st.integers(1, 40), st.integers(1, 30), st.integers(2, 4))
@settings(max_examples=25)
def test_any_budget_is_kept(max_trials, max_epochs, factor):
    for algorithm in PLANS:
        oracle = oracle_for(algorithm, max_trials=max_trials, max_epochs=max_epochs, factor=factor)
        assert kept(run_oracle(oracle), oracle)


def test_a_finished_search_stays_finished(algorithm):
    oracle, _ = searched(algorithm)
    assert oracle.create_trial("worker-0").status == "STOPPED"


def test_each_rung_takes_the_best_of_the_rung_before():
    oracle = oracle_for("hyperband")
    steps = run_oracle(oracle, workers=2)
    for (bracket, rung), places in quota(oracle.plan).items():
        if rung:
            below = [step for step in steps if (step.bracket, step.rung) == (bracket, rung - 1)]
            best = sorted(below, key=lambda step: (-step.score, step.trial_id))[:places]
            taken = {step.trial_id for step in steps if (step.bracket, step.rung) == (bracket, rung)}
            assert taken == {step.trial_id for step in best}


def test_the_best_trial_of_a_bracket_trains_to_the_end(algorithm):
    oracle, steps = searched(algorithm)
    ended = {step.trial_id for step in last_rung(steps, oracle)}
    for bracket in range(len(oracle.plan.brackets)):
        best = max((s for s in steps if (s.bracket, s.rung) == (bracket, 0)), key=lambda s: s.score)
        assert best.trial_id in ended


def test_failed_trials_do_not_use_up_max_trials(algorithm):
    """Keras Tuner counts them: of six trials asked for, three completed."""
    _, steps = searched(algorithm, fails=every_fourth)
    failed = {step.trial_id for step in steps if step.score is None}
    tried = {step.trial_id for step in steps}
    assert failed
    assert len(tried - failed) == TRIALS


def test_a_failed_trial_does_not_cancel_a_promotion(algorithm):
    """In Keras Tuner each failure in a rung costs the next rung a trial, without a word."""
    oracle, steps = searched(algorithm, fails=every_fourth)
    assert kept(steps, oracle)


@given(st.sets(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=40), st.integers(1, 3))
@settings(max_examples=50)
def test_whatever_fails_every_rung_gets_its_trials(failures, workers):
    for algorithm in PLANS:
        oracle = oracle_for(algorithm, max_trials=12)
        steps = run_oracle(
            oracle, fails=lambda trial_id, rung: (int(trial_id), rung) in failures, workers=workers
        )
        assert kept(steps, oracle)


def test_the_last_promotion_is_made_up_for_when_it_fails():
    oracle = oracle_for("hyperband", max_trials=9, max_epochs=9)
    top = len(oracle.plan.brackets[0].rungs) - 1
    failures = iter([True])
    steps = run_oracle(oracle, fails=lambda _, rung: rung == top and next(failures, False))
    assert completed(steps) == quota(oracle.plan)


def test_a_failed_trial_is_not_tried_again(algorithm):
    _, steps = searched(algorithm, fails=every_fourth)
    tried = configurations(steps)
    assert len(tried) == len(set(tried))
    for position, step in enumerate(steps):
        if step.score is None:
            assert step.trial_id not in {later.trial_id for later in steps[position + 1 :]}


@pytest.mark.parametrize("seed", range(3))
def test_a_small_space_is_tried_to_its_last_configuration(algorithm, seed):
    """Keras Tuner gives up after 20 collisions: of 18 configurations it tries 15 to 18."""
    _, steps = searched(algorithm, small=True, max_trials=50, seed=seed)
    tried = configurations(steps)
    assert (len(tried), len(set(tried))) == (18, 18)


def test_an_exhausted_space_still_trains_its_best_to_the_end(algorithm):
    oracle, steps = searched(algorithm, small=True, max_trials=50, seed=0)
    best = max(steps, key=lambda step: step.score)
    assert last_rung(steps, oracle)
    assert best.score in {step.score for step in last_rung(steps, oracle)}


def test_an_exhausted_space_fills_each_rung_before_the_next():
    """Configurations that fail are replaced until there are no more."""
    oracle = oracle_for("hyperband", small_space(), max_trials=50)
    steps = run_oracle(oracle, fails=every_fourth)
    assert oracle.exhausted
    for bracket in range(len(oracle.plan.brackets)):
        rungs = [step.rung for step in steps if step.bracket == bracket and step.score is not None]
        assert rungs == sorted(rungs)


def test_a_space_exactly_as_large_as_the_budget_is_tried_whole(algorithm):
    oracle = oracle_for(algorithm, small_space(), max_trials=18)
    assert len(set(configurations(run_oracle(oracle)))) == 18


def test_a_space_in_which_everything_fails_comes_to_an_end(algorithm):
    steps = run_oracle(oracle_for(algorithm, small_space()), fails=lambda *_: True)
    assert len(configurations(steps)) == 18


def test_the_same_seed_gives_the_same_configurations_whatever_the_random_module_gives(algorithm):
    """Keras Tuner reads seed 0 as "no seed" and draws one at random."""
    _, before = searched(algorithm)
    random.seed(len(before))
    assert run_oracle(oracle_for(algorithm, seed=0)) == before


@pytest.mark.parametrize("algorithm", sorted(set(SEARCHES) - SEEDLESS))
def test_another_seed_gives_other_configurations(algorithm):
    first = configurations(searched(algorithm)[1])
    assert not set(first) & set(configurations(run_oracle(oracle_for(algorithm, seed=1))))


@pytest.mark.parametrize("space", [None, small_space()], ids=["wide", "exhausted"])
def test_the_state_of_a_trial_is_kept_while_it_may_be_promoted(algorithm, space):
    oracle = oracle_for(algorithm, space)
    dropped = set()
    while (trial := oracle.create_trial("worker-0")).status == "RUNNING":
        assert trial.trial_id not in dropped
        trial.status, trial.score = "COMPLETED", closeness(trial.hyperparameters.values)
        oracle.end_trial(trial)
        dropped |= {trial_id for trial_id in oracle.trials if not oracle.may_continue(trial_id)}


def test_the_state_of_a_trial_that_trains_is_kept(algorithm):
    oracle = oracle_for(algorithm)
    assert oracle.may_continue(oracle.create_trial("worker-0").trial_id)


def test_the_state_of_losers_is_given_up(algorithm):
    oracle, steps = searched(algorithm)
    assert not any(oracle.may_continue(step.trial_id) for step in steps)


def test_a_flat_search_waits_for_nothing():
    oracle = oracle_for("random", max_trials=3)
    statuses = [oracle.create_trial(f"worker-{number}").status for number in range(4)]
    assert statuses == ["RUNNING"] * 3 + ["IDLE"]


def test_the_oracle_follows_the_printed_plan(algorithm):
    oracle = oracle_for(algorithm)
    config = config_for(algorithm)
    assert oracle.plan == make_plan(config)
    assert make_oracle(config, small_space()).plan == make_plan(config)


def test_trials_are_numbered_from_one_without_gaps(algorithm):
    """Keras Tuner's numbers change their width when max_trials grows: "1" next to "05"."""
    oracle, _ = searched(algorithm)
    assert list(oracle.trials) == [f"{number:04d}" for number in range(1, TRIALS + 1)]


@pytest.mark.parametrize("name", ["random", "grid", "hyperband"])
def test_the_number_of_workers_changes_neither_configurations_nor_promotions(name):
    one, four = (
        {
            (step.trial_id, step.rung, key(step.values))
            for step in run_oracle(oracle_for(name), workers=workers)
        }
        for workers in (1, 4)
    )
    assert one == four
