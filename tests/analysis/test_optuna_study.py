"""A run as a study of Optuna: states, values and distributions."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from tests.analysis.finished_runs import unfinished_run
from tests.results.records import epoch, record
from tuner.analysis.optuna_study import make_study
from tuner.config import SearchConfig
from tuner.results.lock import locked
from tuner.results.query import open_run
from tuner.results.schema import COMPLETED, STORE_FILE
from tuner.results.store import Store
from tuner.results.timeline import timed_epochs


def declared(kind, name="units", **config):
    return {"class_name": kind, "config": {"name": name, "conditions": [], **config}}


UNITS = declared("Int", min_value=16, max_value=64, step=16, sampling="linear")


def facts(*space, **config):
    # One bracket of four trials to epoch 1, the best of them to 3.
    request = SearchConfig(**{"max_trials": 4, "max_epochs": 3, **config})
    return {
        "objective": "val_accuracy",
        "algorithm": request.algorithm,
        "config": request.model_dump(mode="json"),
        "hyperparameters": {"space": list(space or (UNITS,))},
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run"


def study_of(path, evaluation=None):
    run = open_run(path)
    return make_study(run, timed_epochs(path, run.facts["objective"]), evaluation, InMemoryStorage())


def change(path):
    return Store(path / STORE_FILE)


def states(path):
    return [trial.state for trial in study_of(path).trials]


def promote(path, trial_id, score):
    store = change(path)
    store.start_rung(record(trial_id, rung=1))
    epoch(store, trial_id, 1, 2, {"val_accuracy": score}, score)
    store.finish_rung(trial_id, 1, COMPLETED, 10, 0.0)
    store.close()


def test_a_trial_has_its_score_and_the_objective_of_each_epoch(path):
    unfinished_run(path, (0.5, 0.75), **facts())
    promote(path, "0002", 0.8)
    second = study_of(path).trials[1]
    assert second.value == 0.8
    assert second.intermediate_values == {1: 0.75, 2: 0.8}
    assert second.params == {"units": 32}


def test_a_trial_is_complete_in_its_last_rung_and_pruned_before(path):
    unfinished_run(path, (0.5, 0.75, 0.6, 0.55), **facts())
    promote(path, "0002", 0.8)
    assert states(path) == [
        TrialState.PRUNED,
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.PRUNED,
    ]


def test_a_trial_that_may_be_promoted_is_still_running(path):
    unfinished_run(path, (0.5, 0.75), status="running", **facts())
    with locked(path):
        assert states(path) == [TrialState.PRUNED, TrialState.RUNNING]


def test_every_trial_of_a_search_without_rungs_is_complete(path):
    unfinished_run(path, (0.5, 0.75), status="running", **facts(algorithm="random"))
    assert states(path) == [TrialState.COMPLETE, TrialState.COMPLETE]


def test_a_failed_trial_gives_its_reason(path):
    unfinished_run(path, (0.5,), **facts())
    store = change(path)
    store.start_rung(record("0002"))
    store.fail("0002", 0, "oom: out of memory")
    store.close()
    failed = study_of(path).trials[1]
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs["error"] == "oom: out of memory"


def test_a_trial_cut_short_waits_while_the_run_goes_on_and_is_pruned_when_it_is_over(path):
    unfinished_run(path, (0.5,), **facts())
    store = change(path)
    store.start_rung(record("0002"))
    store.stop("0002")
    assert states(path)[1] == TrialState.PRUNED
    store.set_run({"status": "running"})
    store.close()
    with locked(path):
        assert states(path)[1] == TrialState.RUNNING
    # Its driver is gone without a word.
    assert states(path)[1] == TrialState.PRUNED


def test_the_evaluated_trial_has_the_figures_of_the_test_split(path):
    unfinished_run(path, (0.5, 0.75), **facts())
    figures = {"trial_id": "0002", "accuracy": 0.9, "accuracy_interval_95": [0.8, 0.95], "positive": "FAKE"}
    first, second = study_of(path, figures).trials
    assert second.user_attrs["test_accuracy"] == 0.9
    assert "test_accuracy" not in first.user_attrs
    assert "test_positive" not in second.user_attrs


def test_a_trial_tells_what_trials_csv_does(path):
    unfinished_run(path, (0.5,), **facts())
    (trial,) = study_of(path).trials
    expected = {"trial_id": "0001", "num_params": 10, "duration_s": 3.0, "val_accuracy": 0.5}
    assert expected.items() <= trial.user_attrs.items()
    assert trial.datetime_complete is not None
    assert trial.datetime_start is not None
    assert (trial.datetime_complete - trial.datetime_start).total_seconds() == 3.0


def test_less_is_better_where_the_run_says_so(path):
    unfinished_run(path, (0.5, 0.75), direction="min", **facts(algorithm="random"))
    study = study_of(path)
    assert study.best_value == 0.5
    assert study.user_attrs["best_trial_id"] == "0001"


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (UNITS, IntDistribution(16, 64, step=16)),
        # 32 and 48 can be drawn, 56 cannot.
        (
            declared("Int", min_value=32, max_value=56, step=16, sampling="linear"),
            IntDistribution(32, 48, step=16),
        ),
        (
            declared("Int", min_value=1, max_value=64, step=2, sampling="log"),
            IntDistribution(1, 64, log=True),
        ),
        (
            declared("Float", min_value=1.0, max_value=64.0, step=None, sampling="log"),
            FloatDistribution(1.0, 64.0, log=True),
        ),
        (
            declared("Float", min_value=31.9, max_value=32.25, step=0.1, sampling="linear"),
            FloatDistribution(31.9, 32.2, step=0.1),
        ),
        (declared("Choice", values=[16, 32]), CategoricalDistribution((16, 32))),
        (declared("Fixed", value=32), CategoricalDistribution((32,))),
        # What the space on record does not have stands for itself.
        (declared("Choice", values=[16, 24]), CategoricalDistribution((32,))),
    ],
)
def test_a_hyperparameter_has_the_distribution_of_the_space(path, parameter, expected):
    unfinished_run(path, (0.5,), **facts(parameter))
    assert study_of(path).trials[0].distributions["units"] == expected


def test_of_two_hyperparameters_of_a_name_the_one_that_has_the_value_counts(path):
    other = declared("Choice", values=["few", "many"])
    unfinished_run(path, (0.5,), **facts(other, UNITS))
    assert study_of(path).trials[0].distributions["units"] == IntDistribution(16, 64, step=16)
