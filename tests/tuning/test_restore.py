"""A search cut off at any moment goes on as if it had not been."""

import keras_tuner as kt
import pytest

from tests.tuning.oracle_runs import (
    MODEL_BASED,
    SEARCHES,
    every_fourth,
    never,
    oracle_for,
    restore_cut,
    run_oracle,
    searched,
)


@pytest.fixture(params=SEARCHES)
def algorithm(request):
    return request.param


def twelve_configurations():
    hp = kt.HyperParameters()
    hp.Int("units", 100, 400, step=100)
    hp.Choice("activation", ["relu", "tanh", "gelu"])
    return hp


@pytest.mark.parametrize("space", [None, twelve_configurations()], ids=["wide", "exhausted"])
@pytest.mark.parametrize("fails", [never, every_fourth], ids=["sound", "failing"])
def test_a_search_restored_at_any_event_goes_on_as_if_never_cut(algorithm, space, fails):
    """Keras Tuner's resume restarts its random state and gives running trials anew from epoch 0."""
    max_trials = 14 if algorithm in MODEL_BASED else 20
    uncut = run_oracle(oracle_for(algorithm, space, max_trials=max_trials), fails=fails)
    cuts = [(ended, ended + more) for ended in range(len(uncut)) for more in (0, 1)]
    # Models take their time: each eleventh cut, so that they fall between rungs and inside them by turns.
    for ended, begun in cuts[:: 11 if algorithm in MODEL_BASED else 1]:
        oracle = oracle_for(algorithm, space, max_trials=max_trials)
        restore_cut(oracle, uncut, ended, begun)
        assert run_oracle(oracle, fails=fails) == uncut[ended:], (ended, begun)


def test_a_finished_search_restored_proposes_nothing(algorithm):
    _, steps = searched(algorithm)
    oracle = oracle_for(algorithm)
    restore_cut(oracle, steps, len(steps), len(steps))
    assert run_oracle(oracle) == []


def test_several_running_trials_are_handed_out_again_after_a_restart(algorithm):
    cut = oracle_for(algorithm)
    running = [cut.create_trial(f"worker-{number}").trial_id for number in range(3)]
    _, steps = searched(algorithm)
    oracle = oracle_for(algorithm)
    restore_cut(oracle, steps, 0, 3)
    assert [oracle.create_trial(f"worker-{number}").trial_id for number in range(3)] == running
