"""The plan for small data sets: cheaper than Hyperband's, and chosen where that pays."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.config import make_config
from tuner.errors import UsageError
from tuner.tuning.oracles import SMALL_DATA, make_plan, settle_fidelity
from tuner.tuning.plan import hyperband_plan, short_plan

requests = st.tuples(st.integers(1, 300), st.integers(1, 100), st.integers(2, 5))


@given(requests)
def test_it_has_exactly_the_trials_asked_for_and_trains_to_the_last_epoch(request):
    trials, epochs, factor = request
    plan = short_plan(trials, epochs, factor)
    assert plan.trials == trials
    assert all(bracket.rungs[-1].epochs == epochs for bracket in plan.brackets)


@given(requests)
def test_the_first_of_several_rungs_sees_part_of_the_data_and_no_other_does(request):
    trials, epochs, factor = request
    for bracket in short_plan(trials, epochs, factor).brackets:
        first, *later = bracket.rungs
        assert first.data_share == (1 / factor if later else 1)
        assert all(rung.data_share == 1 for rung in later)


@given(requests)
def test_it_costs_no_more_than_hyperband_and_one_trial_trained_to_its_end(request):
    assert short_plan(*request).passes <= hyperband_plan(*request).passes + request[1]


@given(requests)
def test_each_rung_goes_on_from_the_one_before_with_fewer_trials_or_as_many(request):
    for bracket in short_plan(*request).brackets:
        assert all(a.epochs < b.epochs for a, b in pairwise(bracket.rungs))
        assert all(a.trials >= b.trials for a, b in pairwise(bracket.rungs))


def test_the_first_configuration_of_fifty_is_trained_to_its_end_at_once():
    plan = short_plan(50, 10, 3)
    assert [[(rung.trials, rung.epochs) for rung in bracket.rungs] for bracket in plan.brackets] == [
        [(1, 1), (1, 10)],
        [(17, 1), (5, 3), (1, 10)],
        *[[(16, 1), (5, 3), (1, 10)]] * 2,
    ]
    assert plan.passes == pytest.approx(76 + 2 / 3)
    assert hyperband_plan(50, 10, 3).passes == 150


@pytest.mark.parametrize(
    ("request_", "images", "fidelity"),
    [
        ({}, SMALL_DATA, "part"),
        ({}, SMALL_DATA + 1, "epochs"),
        ({"fidelity": "epochs"}, 10, "epochs"),
        ({"fidelity": "data"}, 10, "data"),
        ({"fidelity": "part"}, 10**6, "part"),
        ({"algorithm": "asha"}, 10, "epochs"),
        ({"algorithm": "random"}, 10, "auto"),
        ({"max_trials": 2}, 10, "epochs"),
    ],
)
def test_a_small_data_set_gets_it_where_nothing_else_is_asked_for(request_, images, fidelity):
    settled = settle_fidelity(make_config(request_), images)
    assert settled.fidelity == fidelity
    # What a run records of its request is a request.
    assert make_config(settled.model_dump()) == settled


def test_the_plan_of_a_settled_request_is_the_short_one():
    assert make_plan(make_config({"fidelity": "part"})) == short_plan(50, 10, 3)


@pytest.mark.parametrize("algorithm", ["asha", "random", "grid"])
def test_other_algorithms_refuse_it(algorithm):
    with pytest.raises(UsageError, match=rf"--fidelity part.*hyperband.*'{algorithm}'"):
        make_config({"algorithm": algorithm, "fidelity": "part"})
