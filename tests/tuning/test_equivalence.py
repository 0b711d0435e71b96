"""Configurations that train alike in a plan count as one."""

import keras_tuner as kt
import pytest

from tests.tuning.oracle_runs import run_oracle
from tuner.config import make_config
from tuner.tuning.equivalence import Training, trained_values, without_effect
from tuner.tuning.oracles import make_oracle
from tuner.tuning.plan import Bracket, Plan, Rung, flat_plan

NAMES = ("patience", "batch_size", "class_weights")
TRAINING = Training(NAMES, images=100, balanced=True)


def space(**choices):
    hp = kt.HyperParameters()
    for name, values in choices.items():
        hp.Choice(name, values)
    return hp


def alike(plan, training, *configurations):
    return len({str(trained_values(values, training, plan)) for values in configurations}) == 1


@pytest.mark.parametrize(
    ("patience", "epochs", "matters"),
    [(0, 10, False), (1, 3, True), (1, 2, False), (8, 10, True), (9, 10, False), (50, 10, False)],
)
def test_patience_matters_where_it_can_end_a_trial_early(patience, epochs, matters):
    never = {"patience": 0}
    assert alike(flat_plan(4, epochs), TRAINING, {"patience": patience}, never) != matters


@pytest.mark.parametrize(("patience", "matters"), [(2, True), (3, False)])
def test_epochs_on_part_of_the_data_end_nothing(patience, matters):
    plan = Plan((Bracket((Rung(4, 3, 0.5), Rung(1, 6))),))
    assert alike(plan, TRAINING, {"patience": patience}, {"patience": 0}) != matters


@pytest.mark.parametrize(("sizes", "same"), [((100, 128), True), ((99, 128), False), ((32, 64), False)])
def test_batches_larger_than_the_data_are_one(sizes, same):
    assert alike(flat_plan(4, 3), TRAINING, *({"batch_size": size} for size in sizes)) == same


@pytest.mark.parametrize("balanced", [True, False])
def test_weights_of_classes_of_equal_size_are_equal(balanced):
    training = Training(NAMES, 100, balanced)
    configurations = ({"class_weights": "auto"}, {"class_weights": "none"})
    assert alike(flat_plan(4, 3), training, *configurations) == balanced


def test_a_hyperparameter_of_the_model_with_such_a_name_counts():
    training = Training((), 100, True)
    assert not alike(flat_plan(4, 3), training, {"patience": 50}, {"patience": 60})


@pytest.mark.parametrize("algorithm", ["random", "grid", "bayesian", "tpe"])
def test_a_search_tries_each_configuration_that_trains_differently_once(algorithm):
    searched = space(units=[1, 2, 3], patience=[0, 1, 5, 50])
    config = make_config({"algorithm": algorithm, "max_trials": 12, "max_epochs": 4})
    oracle = make_oracle(config, searched, training=TRAINING)
    tried = [trial.hyperparameters.values for trial in _trials(oracle)]
    # Patience 0, 5 and 50 never end a trial of four epochs.
    assert sorted((values["units"], values["patience"] == 1) for values in tried) == [
        (units, stops) for units in (1, 2, 3) for stops in (False, True)
    ]
    assert oracle.exhausted


def test_what_has_no_effect_is_named():
    searched = space(units=[1, 2], patience=[5, 9], batch_size=[32, 64], class_weights=["none", "auto"])
    assert without_effect(searched, TRAINING, flat_plan(4, 4)) == ["patience", "class_weights"]
    assert without_effect(space(patience=[1, 9]), TRAINING, flat_plan(4, 4)) == []
    assert without_effect(space(patience=[9]), TRAINING, flat_plan(4, 4)) == []


def _trials(oracle):
    run_oracle(oracle, score=lambda values: values["units"])
    return oracle.trials.values()
