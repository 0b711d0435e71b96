from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.tuning.plan import (
    Bracket,
    Plan,
    Rung,
    asha_plan,
    flat_plan,
    hyperband_plan,
    on_parts_of_the_data,
)

BUDGETS = (st.integers(1, 400), st.integers(1, 300), st.integers(2, 6))


def rungs(plan):
    return [[(rung.trials, rung.epochs) for rung in bracket.rungs] for bracket in plan.brackets]


def test_fifty_trials_of_ten_epochs_are_laid_as_documented():
    plan = hyperband_plan(50, 10, 3)
    widest = [(9, 1), (3, 3), (1, 10)]
    assert rungs(plan) == [widest, widest, widest, [(15, 1), (5, 3), (1, 10)], [(5, 3), (1, 10)], [(3, 10)]]


def test_fifty_trials_of_ten_epochs_cost_150_epochs():
    """Keras Tuner's Hyperband takes what it likes: 22 configurations, 30 trials, 120 epochs."""
    assert hyperband_plan(50, 10, 3).epochs == 150


def test_a_promotion_costs_only_the_epochs_that_are_new():
    bracket = Bracket((Rung(9, 1), Rung(3, 3), Rung(1, 10)))
    assert bracket.epochs == 9 * 1 + 3 * (3 - 1) + 1 * (10 - 3)


def test_a_plan_adds_up_its_brackets():
    plan = Plan((Bracket((Rung(4, 1), Rung(2, 2))), Bracket((Rung(3, 2),))))
    assert (plan.trials, plan.epochs) == (7, 4 + 2 + 6)


def test_a_flat_plan_gives_every_trial_all_epochs():
    plan = flat_plan(7, 5)
    assert (rungs(plan), plan.trials, plan.epochs) == ([[(7, 5)]], 7, 35)


@given(*BUDGETS)
def test_hyperband_tries_exactly_the_trials_asked_for(max_trials, max_epochs, factor):
    assert hyperband_plan(max_trials, max_epochs, factor).trials == max_trials


@given(*BUDGETS)
def test_every_rung_trains_longer_than_the_one_before(max_trials, max_epochs, factor):
    for bracket in hyperband_plan(max_trials, max_epochs, factor).brackets:
        epochs = [rung.epochs for rung in bracket.rungs]
        assert epochs == sorted(set(epochs))


@given(*BUDGETS)
def test_every_bracket_ends_at_the_most_epochs(max_trials, max_epochs, factor):
    plan = hyperband_plan(max_trials, max_epochs, factor)
    assert {bracket.rungs[-1].epochs for bracket in plan.brackets} == {max_epochs}


@given(*BUDGETS)
def test_no_rung_holds_more_trials_than_the_one_before(max_trials, max_epochs, factor):
    for bracket in hyperband_plan(max_trials, max_epochs, factor).brackets:
        trials = [rung.trials for rung in bracket.rungs]
        assert trials == sorted(trials, reverse=True)


@given(*BUDGETS)
def test_no_rung_is_empty(max_trials, max_epochs, factor):
    plan = hyperband_plan(max_trials, max_epochs, factor)
    assert min(rung.trials for bracket in plan.brackets for rung in bracket.rungs) >= 1
    assert min(rung.epochs for bracket in plan.brackets for rung in bracket.rungs) >= 1


@given(*BUDGETS)
def test_the_widest_brackets_come_first_and_only_they_are_laid_several_times(max_trials, max_epochs, factor):
    starts = [bracket.rungs[0].epochs for bracket in hyperband_plan(max_trials, max_epochs, factor).brackets]
    narrower = [start for start in starts if start != starts[0]]
    assert starts == sorted(starts)
    assert narrower == sorted(set(narrower))


@given(*BUDGETS)
def test_data_for_epochs_costs_about_as_many_passes(max_trials, max_epochs, factor):
    plan = hyperband_plan(max_trials, max_epochs, factor)
    on_parts = on_parts_of_the_data(plan)
    assert on_parts.trials == plan.trials
    trained = sum(rung.trials for bracket in plan.brackets for rung in bracket.rungs)
    assert abs(on_parts.passes - plan.passes) <= trained  # epochs are whole


def test_lower_rungs_on_part_of_the_data_train_as_many_images():
    plan = on_parts_of_the_data(Plan((Bracket((Rung(9, 1), Rung(3, 3), Rung(1, 9))),)))
    assert plan.brackets[0].rungs == (Rung(9, 9, 1 / 9), Rung(3, 15, 1 / 3), Rung(1, 21, 1.0))


@given(*BUDGETS)
def test_every_rung_on_part_of_the_data_trains_longer_and_on_more_than_the_one_before(
    max_trials, max_epochs, factor
):
    for bracket in on_parts_of_the_data(hyperband_plan(max_trials, max_epochs, factor)).brackets:
        for key in ("epochs", "data_share"):
            values = [getattr(rung, key) for rung in bracket.rungs]
            assert values == sorted(set(values))
        assert bracket.rungs[-1].data_share == 1


@given(*BUDGETS)
def test_hyperband_never_costs_more_than_training_every_trial_to_the_end(max_trials, max_epochs, factor):
    assert hyperband_plan(max_trials, max_epochs, factor).epochs <= max_trials * max_epochs


@pytest.mark.parametrize("max_trials", [1, 2])
def test_too_few_trials_for_all_brackets_go_to_the_widest(max_trials):
    (bracket,) = hyperband_plan(max_trials, 9, 3).brackets
    assert [rung.epochs for rung in bracket.rungs] == [1, 3, 9]


def test_one_epoch_leaves_nothing_to_promote():
    assert rungs(hyperband_plan(5, 1, 3)) == [[(5, 1)]]


def test_asha_lays_one_bracket_from_the_shortest_rung():
    assert rungs(asha_plan(50, 10, 3)) == [[(50, 1), (16, 3), (5, 10)]]


def test_asha_has_no_rung_that_too_few_trials_could_reach():
    assert rungs(asha_plan(8, 27, 3)) == [[(8, 9), (2, 27)]]


@given(*BUDGETS)
def test_a_rung_of_asha_holds_one_in_factor_of_the_one_before(max_trials, max_epochs, factor):
    (bracket,) = asha_plan(max_trials, max_epochs, factor).brackets
    trials, epochs = zip(*((rung.trials, rung.epochs) for rung in bracket.rungs), strict=True)
    assert trials[0] == max_trials
    assert all(above == below // factor >= 1 for below, above in pairwise(trials))
    assert epochs[-1] == max_epochs
    assert list(epochs) == sorted(set(epochs))
