"""What each sampler does of its own."""

import logging
import math
from statistics import mean

import keras_tuner as kt
import pytest

from tests.spaces.test_configurations import every_type, layered, two_branches
from tests.tuning.oracle_runs import (
    MODEL_BASED,
    SEARCHES,
    closeness,
    config_for,
    oracle_for,
    restore_cut,
    run_oracle,
    searched,
    small_space,
    wide_space,
)
from tuner.errors import UsageError
from tuner.spaces.configurations import all_values, effective, enumerate_space
from tuner.training.seeds import derive_seed
from tuner.tuning.oracles.model_based import Axis
from tuner.tuning.oracles.rungs import Standing


def mixed_space():
    hp = kt.HyperParameters()
    hp.Int("units", 10, 500)
    hp.Float("rate", 1e-5, 1e-1, sampling="log")
    hp.Choice("optimizer", ["adam", "sgd", "rmsprop"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("momentum", 0.0, 0.99)
    return hp


def quality(values):
    """Best, 1.0, at 320 units, rate 0.001 and sgd with a momentum of 0.9."""
    score = 1.0 - ((values["units"] - 320) / 500) ** 2 - (math.log10(values["rate"]) + 3) ** 2 / 8
    return score - (values["momentum"] - 0.9) ** 2 if values["optimizer"] == "sgd" else score - 0.2


def mean_best(search, max_trials, seeds):
    """Mean over this many searches of the best that each finds."""
    oracles = (oracle_for(search, mixed_space(), seed=seed, max_trials=max_trials) for seed in range(seeds))
    return mean(max(step.score for step in run_oracle(oracle, quality)) for oracle in oracles)


def tried(search, space, **request):
    steps = run_oracle(oracle_for(search, space, **request), score=lambda values: len(str(values)))
    return [step.values for step in steps if step.rung == 0]


@pytest.mark.parametrize(
    ("search", "max_trials", "seeds"),
    [("tpe", 40, 4), ("bayesian", 18, 3), ("hyperband/tpe", 60, 10), ("hyperband/bayesian", 25, 3)],
)
def test_a_model_finds_better_configurations_than_chance(search, max_trials, seeds):
    assert mean_best(search, max_trials, seeds) > mean_best("random", max_trials, seeds) + 0.02


def test_the_least_is_found_as_well_as_the_most():
    by_loss = {"max_trials": 25, "objective": "val_loss"}
    losses = [
        min(step.score for step in run_oracle(oracle, score=lambda values: -quality(values)))
        for oracle in (oracle_for("bayesian", mixed_space(), seed=seed, **by_loss) for seed in range(2))
    ]
    assert max(losses) < -0.9


@pytest.mark.parametrize("search", SEARCHES)
def test_values_have_the_types_of_the_space(search):
    space = every_type()
    allowed = {parameter.name: list(all_values(parameter)) for parameter in space.space}
    for values in tried(search, space):
        assert values.keys() == allowed.keys()
        for name, value in values.items():
            assert value in allowed[name]
            assert type(value) in {type(member) for member in allowed[name]}


@pytest.mark.parametrize("search", SEARCHES)
def test_values_of_ranges_lie_in_them_and_only_active_hyperparameters_have_one(search):
    for step in searched(search)[1]:
        values = step.values
        assert 1e-4 <= values["rate"] <= 1e-1
        assert isinstance(values["rate"], float)
        assert type(values["units"]) is int
        assert effective(wide_space(), values) == values


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("space", [layered, two_branches])
def test_conditional_spaces_are_tried_whole(search, space):
    expected = list(enumerate_space(space()))
    found = tried(search, space(), max_trials=20)
    assert len(found) == len(expected)
    assert all(values in expected for values in found)


@pytest.mark.parametrize("search", MODEL_BASED)
def test_a_space_of_one_configuration_is_tried_once(search):
    hp = kt.HyperParameters()
    hp.Fixed("units", 320)
    assert tried(search, hp) == [{"units": 320}]


@pytest.mark.parametrize("search", MODEL_BASED)
def test_equal_scores_teach_nothing_and_stop_nothing(search):
    steps = run_oracle(oracle_for(search, small_space()), score=lambda _: 0.5)
    assert len([step for step in steps if step.rung == 0]) == 18


@pytest.mark.parametrize("search", MODEL_BASED)
def test_the_score_of_a_trial_that_trains_is_not_used(search):
    """A store has one from the epochs of the unfinished rung; an uncut search has not."""

    def following(score):
        _, steps = searched(search)
        oracle = oracle_for(search)
        restore_cut(oracle, steps, 11, 11)
        oracle.restore("0012", steps[11].values, Standing(0, 0, "RUNNING", score))
        oracle.create_trial("worker-0")
        return oracle.create_trial("worker-1").hyperparameters.values

    assert following(None) == following(1.0)


@pytest.mark.parametrize("search", ["tpe", "bayesian"])
def test_workers_are_given_different_configurations(search):
    oracle = oracle_for(search, mixed_space(), max_trials=40)
    restore_cut(oracle, run_oracle(oracle_for(search, mixed_space(), max_trials=18), quality), 18, 18)
    given = [oracle.create_trial(f"worker-{number}").hyperparameters.values for number in range(4)]
    assert len({values["rate"] for values in given}) == 4


def test_one_in_three_of_hyperbands_configurations_is_drawn_at_random():
    """As BOHB does: where the model is wrong, plain Hyperband still takes its course."""
    plain = tried("hyperband", wide_space(), max_trials=30)
    led = tried("hyperband/tpe", wide_space(), max_trials=30)
    seed = oracle_for("hyperband").seed
    for number in range(1, 31):
        if derive_seed(seed, "share", number) % 3 == 0:
            assert led[number - 1] == plain[number - 1]


def test_with_hyperband_more_epochs_outrank_a_better_score():
    hp = kt.HyperParameters()
    hp.Float("rate", 0.0, 1.0)
    oracle = oracle_for("hyperband/tpe", hp, max_trials=40)
    for number in range(1, 21):
        rate, rung, score = (0.1, number % 2 + 1, 0.1) if number <= 4 else (0.9, 0, 0.9)
        values = {"rate": rate + number / 1000}
        oracle.restore(f"{number:04d}", values, Standing(0, rung, "COMPLETED", score))
    proposed = [next(oracle.model_samples(seed))["rate"] for seed in range(20)]
    assert mean(proposed) < 0.3


def test_of_trials_with_equal_epochs_the_better_score_leads():
    hp = kt.HyperParameters()
    hp.Float("rate", 0.0, 1.0)
    oracle = oracle_for("hyperband/tpe", hp, max_trials=40)
    for number in range(1, 21):
        rate, score = (0.1, 0.1) if number <= 16 else (0.9, 0.9)
        oracle.restore(f"{number:04d}", {"rate": rate + number / 1000}, Standing(0, 0, "COMPLETED", score))
    proposed = [next(oracle.model_samples(seed))["rate"] for seed in range(20)]
    assert mean(proposed) > 0.7


def test_the_bayesian_model_sees_the_most_epochs_that_enough_trials_reached():
    oracle = oracle_for("hyperband/bayesian", small_space(), max_trials=9, max_epochs=9)
    for number, units in enumerate((100, 200, 300, 400, 500), start=1):
        rung = 1 if number <= 3 else 0
        values = {"units": units, "activation": "relu"}
        oracle.restore(f"{number:04d}", values, Standing(0, rung, "COMPLETED", 0.5))
    assert [values["units"] for values, _ in oracle._deepest(oracle.finished())] == [100, 200, 300]


def test_the_grid_is_walked_in_the_order_of_declaration():
    assert tried("grid", layered(), max_trials=20) == list(enumerate_space(layered()))


def test_the_grid_begins_with_the_last_hyperparameter():
    assert [values["activation"] for values in tried("grid", small_space())][:4] == [
        "relu",
        "tanh",
        "gelu",
        "relu",
    ]


def test_a_range_without_step_has_ten_values_on_the_grid():
    hp = kt.HyperParameters()
    hp.Float("rate", 0.0, 1.0)
    oracle = oracle_for("grid", hp, max_trials=20)
    rates = [step.values["rate"] for step in run_oracle(oracle, score=lambda values: values["rate"])]
    assert rates == pytest.approx([0.05 + 0.1 * number for number in range(10)])
    assert oracle.exhausted


@pytest.mark.parametrize("parameter", every_type().space, ids=lambda parameter: parameter.name)
def test_coordinates_lead_back_to_their_values(parameter):
    axis = Axis(parameter)
    for value in all_values(parameter):
        assert axis.value(axis.coordinate(value)) == value


def test_a_default_off_the_steps_has_the_coordinate_of_the_nearest_value():
    hp = kt.HyperParameters()
    hp.Int("units", 10, 50, step=10, default=29)
    assert Axis(hp.space[0]).value(Axis(hp.space[0]).coordinate(29)) == 30


@pytest.mark.parametrize("coordinate", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["Int", "Float"])
def test_the_ends_of_the_cube_lie_in_the_space(kind, coordinate):
    hp = kt.HyperParameters()
    getattr(hp, kind)("rate", 1, 1000, sampling="log")
    assert 1 <= Axis(hp.space[0]).value(coordinate) <= 1000


def test_optuna_says_nothing(caplog, capsys):
    with caplog.at_level(logging.INFO):
        run_oracle(oracle_for("tpe"), score=closeness)
    assert (caplog.text, *capsys.readouterr()) == ("", "", "")


def test_a_sampler_of_hyperbands_own_is_refused_elsewhere():
    with pytest.raises(UsageError, match=r"--sampler bayesian.*--algorithm hyperband"):
        config_for("random/bayesian")


def test_scores_after_few_epochs_and_after_many_are_not_compared():
    """Each epoch adds as much to every score, which tells nothing of configurations."""

    def proposals(gain):
        oracle = oracle_for("hyperband/bayesian", max_trials=40)
        found = []
        while (trial := oracle.create_trial("worker-0")).status == "RUNNING":
            values = trial.hyperparameters.values
            if not values["tuner/round"]:
                found.append({name: value for name, value in values.items() if "/" not in name})
            trial.status, trial.score = "COMPLETED", closeness(values) + gain * values["tuner/epochs"]
            oracle.end_trial(trial)
        return found

    assert proposals(gain=1.0) == proposals(gain=0.0)
