"""A search cut off at any moment goes on as if it had not been."""

import pytest

from tests.search.oracle_runs import (
    ALGORITHMS,
    every_fourth,
    never,
    oracle_for,
    restore_cut,
    run_oracle,
    small_space,
)


@pytest.fixture(params=ALGORITHMS)
def algorithm(request):
    return request.param


@pytest.mark.parametrize("space", [None, small_space()], ids=["wide", "exhausted"])
@pytest.mark.parametrize("fails", [never, every_fourth], ids=["sound", "failing"])
def test_a_search_restored_at_any_event_goes_on_as_if_never_cut(algorithm, space, fails):
    """Keras Tuner's resume restarts its random state and gives running trials anew from epoch 0."""
    uncut = run_oracle(oracle_for(algorithm, space, max_trials=20), fails=fails)
    for ended in range(len(uncut)):
        for begun in (ended, ended + 1):
            oracle = oracle_for(algorithm, space, max_trials=20)
            restore_cut(oracle, uncut, ended, begun)
            assert run_oracle(oracle, fails=fails) == uncut[ended:], (ended, begun)


def test_a_finished_search_restored_proposes_nothing(algorithm):
    steps = run_oracle(oracle_for(algorithm))
    oracle = oracle_for(algorithm)
    restore_cut(oracle, steps, len(steps), len(steps))
    assert run_oracle(oracle) == []


def test_several_running_trials_are_handed_out_again_after_a_restart(algorithm):
    cut = oracle_for(algorithm)
    running = [cut.create_trial(f"worker-{number}").trial_id for number in range(3)]
    steps = run_oracle(oracle_for(algorithm))
    oracle = oracle_for(algorithm)
    restore_cut(oracle, steps, 0, 3)
    assert [oracle.create_trial(f"worker-{number}").trial_id for number in range(3)] == running
