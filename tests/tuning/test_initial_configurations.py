"""What a user wants to be tried first: configurations written out, and the best of an earlier search."""

import keras_tuner as kt
import pytest

from tests.spaces.test_configurations import every_type
from tuner.config import make_config
from tuner.errors import UsageError
from tuner.results.schema import TrialRecord
from tuner.results.tables import write_trials
from tuner.tuning.initial_configurations import Initial, initial_configurations


def space():
    hp = kt.HyperParameters()
    hp.Int("filters", 20, 100, step=20, default=60)
    hp.Choice("activation", ["relu", "tanh"])
    hp.Float("rate", 1e-4, 1e-1, sampling="log", default=1e-2)
    hp.Choice("optimizer", ["adam", "sgd"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("momentum", 0.0, 1.0, step=0.25)
        hp.Boolean("nesterov")
    return hp


DEFAULTS = {"filters": 60, "activation": "relu", "rate": 1e-2, "optimizer": "adam"}
SGD = {**DEFAULTS, "optimizer": "sgd", "momentum": 0.5, "nesterov": True}


def initial(hp=None, **request):
    return initial_configurations(make_config(request), hp or space())


def included(*texts, hp=None, **request):
    return list(initial(hp, include=texts, **request).configurations)


def error(**request):
    with pytest.raises(UsageError) as caught:
        initial(**request)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def include_error(text):
    return error(include=(text,))


def record(number, score, values, status="COMPLETED"):
    return TrialRecord(
        trial_id=f"{number:04d}",
        values=values,
        status=status,
        bracket=0,
        rung=0,
        seed=0,
        batch_size=64,
        started_at="",
        score=score,
    )


@pytest.fixture
def table(tmp_path):
    """Write a trials.csv of (score, values) pairs, as a run does."""

    def write(*trials, objective="val_accuracy", status="COMPLETED"):
        path = tmp_path / "trials.csv"
        records = [record(n, score, values, status) for n, (score, values) in enumerate(trials, start=1)]
        write_trials(path, records, objective)
        return path

    return write


def filters(*numbers):
    return [{**DEFAULTS, "filters": number} for number in numbers]


@pytest.mark.parametrize("algorithm", ["random", "grid"])
def test_random_and_grid_search_try_nothing_first_that_is_not_asked_for(algorithm):
    assert initial(algorithm=algorithm) == Initial(())


@pytest.mark.parametrize("algorithm", ["hyperband", "bayesian", "tpe"])
def test_the_defaults_come_first_where_nothing_is_asked_for(algorithm):
    assert initial(algorithm=algorithm) == Initial((DEFAULTS,))


def test_the_defaults_are_not_added_to_what_is_asked_for():
    assert initial(include=["filters=40"]).configurations == ({**DEFAULTS, "filters": 40},)


def test_what_is_not_named_has_its_default():
    assert included("filters=80") == [{**DEFAULTS, "filters": 80}]


def test_several_values_and_configurations_are_taken_in_their_order():
    first, second = included("filters=80, activation=tanh", "filters=20")
    assert (first["filters"], first["activation"], second["filters"]) == (80, "tanh", 20)


def test_conditional_values_are_taken_where_their_condition_holds():
    assert included("momentum=0.5,optimizer=sgd,nesterov=true") == [SGD]


def test_the_same_configuration_is_taken_once():
    assert included("filters=80", "filters=80,optimizer=adam") == filters(80)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("int=-3", -3),
        ("int_step=40", 40),
        ("int_step=40.0", 40),
        ("int_log=7", 7),
        ("int_log_step=64", 64),
        ("float_step=0.3", 0.30000000000000004),
        ("float_log_step=0.001", 0.001),
        ("word=tanh", "tanh"),
        ("number=0.0005", 5e-4),
        ("number=1e-3", 1e-3),
        ("flag=true", True),
        ("flag=False", False),
        ("fixed=7", 7),
    ],
)
def test_text_becomes_the_value_of_the_space_in_its_type(text, value):
    found = included(text, hp=every_type())[0][text.partition("=")[0]]
    assert found == pytest.approx(value)
    assert type(found) is type(value)


def test_a_value_may_hold_a_comma():
    hp = kt.HyperParameters()
    hp.Choice("shape", ["3,3", "5,5"])
    hp.Int("units", 1, 9)
    assert included("shape=5,5,units=3", hp=hp) == [{"shape": "5,5", "units": 3}]


@pytest.mark.parametrize(("text", "rate"), [("1e-4", 1e-4), ("0.1", 1e-1), ("0.10000000000000001", 1e-1)])
def test_both_ends_of_a_range_are_allowed(text, rate):
    assert included(f"rate={text}")[0]["rate"] == rate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "filtres=20",
            "'filtres'. Did you mean 'filters'? Known: activation, filters",
        ),
        ("filters=30", "Allowed: 20 to 100 in steps of 20. Nearest: "),
        ("filters=120", "Nearest: 100."),
        ("filters=many", "filters=many is not allowed"),
        ("filters=nan", "filters=nan is not allowed"),
        ("activation=Tanhh", "Allowed: relu, tanh. Did you mean 'tanh'?"),
        ("rate=0.2", "Allowed: 0.0001 to 0.1"),
        ("rate=inf", "rate=inf is not allowed"),
        ("optimizer=sgd,momentum=0.3", "Allowed: 0 to 1 in steps of 0.25. Nearest: 0.25."),
        ("optimizer=sgd,nesterov=3", "Allowed: True, False."),
        ("momentum=0.5", "it needs optimizer=sgd"),
        ("filters", "'filters' is not NAME=VALUE"),
        ("", "is not NAME=VALUE"),
        ("filters=20,filters=40", "'filters' is given twice"),
    ],
)
def test_what_cannot_be_included_is_an_error_that_says_what_can(text, message):
    assert message in include_error(text)


def test_a_logarithmic_step_is_explained_by_its_values():
    with pytest.raises(UsageError, match=r"Allowed: 4, 8, 16, 32, 64\. Nearest: 8\."):
        included("int_log_step=9", hp=every_type())


def test_more_configurations_than_trials_are_an_error():
    message = error(include=("filters=20", "filters=40"), max_trials=1)
    for words in ("--include", "2 configurations", "--max-trials", "allows 1"):
        assert words in message


def test_the_best_of_an_earlier_search_come_first(table):
    path = table(*zip((0.7, 0.9, 0.8), filters(20, 40, 80), strict=True))
    assert list(initial(warm_start=str(path)).configurations) == filters(40, 80, 20)


def test_a_minimized_objective_takes_the_lowest_scores(table):
    path = table(*zip((0.7, 0.9, 0.8), filters(20, 40, 80), strict=True), objective="val_loss")
    found = initial(warm_start=str(path), objective="val_loss").configurations
    assert list(found) == filters(20, 80, 40)


def test_a_run_stands_for_its_table(table):
    path = table((0.7, SGD))
    assert initial(warm_start=str(path.parent)).configurations == (SGD,)


@pytest.mark.parametrize(("max_trials", "taken"), [(1, 1), (4, 2), (5, 3), (50, 4)])
def test_half_of_the_trials_at_most_come_from_an_earlier_search(table, max_trials, taken):
    path = table(*zip((0.9, 0.8, 0.7, 0.6), filters(20, 40, 80, 100), strict=True))
    assert len(initial(warm_start=str(path), max_trials=max_trials).configurations) == taken


def test_included_configurations_come_before_those_of_an_earlier_search(table):
    path = table(*zip((0.9, 0.8), filters(20, 40), strict=True))
    found = initial(include=("filters=40",), warm_start=str(path), max_trials=10).configurations
    assert list(found) == filters(40, 20)


def test_both_together_are_no_more_than_the_trials(table):
    path = table(*zip((0.9, 0.8), filters(20, 40), strict=True))
    found = initial(include=("filters=60", "filters=80"), warm_start=str(path), max_trials=3).configurations
    assert list(found) == filters(60, 80, 20)


def test_rows_outside_the_space_are_left_out_and_counted(table):
    path = table((0.9, {"filters": 30}), (0.8, {"units": 5}), (0.7, {"filters": 40}))
    assert initial(warm_start=str(path)) == Initial(tuple(filters(40)), left_out=2)


def test_values_without_effect_in_a_table_are_passed_over(table):
    path = table((0.9, {**DEFAULTS, "momentum": 0.5}))
    assert initial(warm_start=str(path)) == Initial((DEFAULTS,))


def test_a_table_that_a_spreadsheet_has_saved_is_read(table):
    path = table((0.9, SGD))
    path.write_text("\ufeff" + path.read_text().replace("60", "60.0").replace("True", "TRUE"))
    assert initial(warm_start=str(path)).configurations == (SGD,)


def test_trials_that_did_not_complete_are_passed_over(table):
    path = table((0.9, DEFAULTS), status="FAILED")
    assert "has no completed trial" in error(warm_start=str(path))


def test_a_table_of_another_objective_is_refused(table):
    path = table((0.9, DEFAULTS), objective="val_loss")
    message = error(warm_start=str(path))
    assert f"'{path}' ranks trials by 'val_loss', this search by 'val_accuracy'." in message


def test_a_table_of_which_nothing_fits_is_refused_with_the_reason(table):
    path = table((0.7, {"filters": 40, "depth": 2}), (0.9, {"filters": 30}))
    message = error(warm_start=str(path))
    assert f"'{path}': no trial lies in this space; of the best, filters=30 is not allowed." in message


def test_a_missing_table_is_named(tmp_path):
    assert f"'{tmp_path / 'no.csv'}' cannot be read" in error(warm_start=str(tmp_path / "no.csv"))
    assert f"'{tmp_path / 'trials.csv'}' cannot be read" in error(warm_start=str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column"),
        (b"a;b\n1;2\n", "has no column"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "is not a CSV table"),
        (b"status,score,objective\nCOMPLETED,0.5,val_accuracy,7\n", "in line 2, saw 4"),
        (b"status,score,objective\nCOMPLETED,good,val_accuracy\n", "row 2: score 'good' is not a number"),
        (b'status,score,objective\n"COMPLETED,0.5\n', "is not a CSV table"),
    ],
)
def test_a_file_that_is_no_table_of_trials_is_refused(tmp_path, content, message):
    path = tmp_path / "trials.csv"
    path.write_bytes(content)
    found = error(warm_start=str(path))
    assert str(path) in found
    assert message in found
