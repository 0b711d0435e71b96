import math
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuner.config import SearchConfig, make_config, read_toml, to_toml
from tuner.errors import UsageError
from tuner.objective import Objective, direction_of, parse_objective

NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "space": TEXT,
        "data": TEXT,
        "algorithm": st.sampled_from(["hyperband", "random"]),
        "max_trials": st.integers(1, 10**9),
        "max_epochs": st.integers(1, 10**9),
        "factor": st.integers(2, 100),
        "objective": st.sampled_from(["val_loss", "val_auc", "val_gain:max"]),
        "batch_size": st.integers(1, 10**6),
        "patience": st.integers(0, 10**6),
        "seed": st.integers(0, 2**31 - 1),
        "max_time": st.floats(min_value=0, exclude_min=True, allow_infinity=False),
        "max_failures": st.integers(1, 1000),
        "image_size": st.integers(8, 1024),
        "positive": TEXT,
        "strict": st.booleans(),
        "name": NAMES,
        "results_dir": TEXT,
    },
)


def message(values):
    with pytest.raises(UsageError) as caught:
        make_config(values)
    return str(caught.value)


def test_an_empty_request_is_fifty_trials_of_hyperband_on_the_demo_data():
    config = make_config({})
    assert (config.space, config.data, config.algorithm) == ("sequential", "demo", "hyperband")
    assert (config.max_trials, config.max_epochs, config.factor) == (50, 10, 3)
    assert (str(config.objective), config.seed, config.max_time) == ("val_accuracy", 0, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("90", 90),
        ("45m", 2700),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1d", 86400),
        (" 1h2m3s ", 3723),
        (12.5, 12.5),
    ],
)
def test_a_time_is_read_in_seconds(text, seconds):
    assert make_config({"max_time": text}).max_time == seconds


@pytest.mark.parametrize(
    "text", ["soon", "", "h", "30m1h", "-5m", "2 weeks", "1e3", "nan", "inf", "1h30", "1m30"]
)
def test_what_is_no_time_is_refused_with_examples(text):
    said = message({"max_time": text})
    assert "\n" not in said
    assert all(part in said for part in (f"--max-time {text!r} ", "90s", "45m", "2h", "1h30m"))


@pytest.mark.parametrize("value", [0, "0s", -1, math.inf, math.nan])
def test_a_time_is_positive_and_finite(value):
    assert message({"max_time": value}).startswith(f"--max-time {value!r} ")


@pytest.mark.parametrize("objective", ["accuracy", "loss", "auc:max", "f1_score:max"])
def test_a_metric_of_the_training_is_no_objective(objective):
    assert f"'val_{objective}'" in message({"objective": objective})


@pytest.mark.parametrize(
    ("objective", "direction"),
    [
        ("val_accuracy", "max"),
        ("val_sparse_categorical_accuracy", "max"),
        ("accuracy", "max"),
        ("val_auc", "max"),
        ("val_f1_score", "max"),
        ("val_loss", "min"),
        ("val_mean_squared_error", "min"),
        ("val_brier", "min"),
    ],
)
def test_the_direction_follows_from_a_known_name(objective, direction):
    """Keras Tuner 1.4.8 minimizes val_f1_score."""
    assert direction_of(objective) == direction


@pytest.mark.parametrize("direction", ["min", "max"])
def test_a_given_direction_wins_over_the_name(direction):
    assert parse_objective(f"val_accuracy:{direction}") == Objective("val_accuracy", direction)


@pytest.mark.parametrize("text", ["val_accuracy", "val_loss", "val_gain:max", "val_accuracy:min"])
def test_an_objective_is_the_text_that_it_is_read_from(text):
    assert str(parse_objective(text)) == text


def test_an_objective_of_unknown_direction_asks_for_it():
    said = message({"objective": "val_gain"})
    assert "\n" not in said
    assert all(part in said for part in ("--objective 'val_gain'", "'val_gain:max'", "'val_gain:min'"))


def test_a_direction_that_is_none_is_refused():
    said = message({"objective": "val_gain:up"})
    assert all(part in said for part in ("--objective 'val_gain:up'", "'up'", "min", "max"))


def test_an_unknown_key_names_the_nearest():
    said = message({"max_trial": 5})
    assert all(part in said for part in ("'max_trial'", "'max_trials'", *SearchConfig.model_fields))


def test_an_unknown_key_like_no_other_lists_all():
    text = message({"xyzzy": 5})
    assert "Did you mean" not in text
    assert all(name in text for name in SearchConfig.model_fields)


@pytest.mark.parametrize(
    ("values", "refused", "allowed"),
    [
        ({"max_trials": 0}, "--max-trials 0", ["1"]),
        ({"max_epochs": "many"}, "--max-epochs 'many'", ["integer"]),
        ({"factor": 1}, "--factor 1", ["2"]),
        ({"seed": -1}, "--seed -1", ["0"]),
        ({"seed": 2**31}, "--seed 2147483648", ["2147483648"]),
        ({"image_size": 4}, "--image-size 4", ["8"]),
        ({"algorithm": "hyperbnd"}, "--algorithm 'hyperbnd'", ["random", "hyperband", "'hyperband'"]),
        ({"name": "../x"}, "--name '../x'", ["letters", "digits"]),
    ],
)
def test_a_bad_value_is_one_line_with_option_value_and_what_is_allowed(values, refused, allowed):
    text = message(values)
    assert "\n" not in text
    before, _, after = text.partition(f"{refused} ")
    assert before == ""
    assert all(re.search(rf"(?<!\w){each}(?!\w)", after) for each in allowed)


def test_a_request_cannot_be_changed_once_made():
    with pytest.raises(ValueError, match="frozen"):
        make_config({}).max_trials = 3


def test_every_field_has_a_description():
    assert [name for name, field in SearchConfig.model_fields.items() if not field.description] == []


@given(REQUESTS)
@example({"data": 'a\x7f\x00"\\\n\r\u2028'})  # JSON lets DEL through, TOML does not
def test_a_request_survives_toml(tmp_path_factory, values):
    config = make_config(values)
    path = tmp_path_factory.mktemp("toml") / "config.toml"
    path.write_bytes(to_toml(config).encode())
    assert make_config(read_toml(path)) == config


def test_an_unset_optional_field_is_left_out_of_toml():
    assert "max_time" not in to_toml(make_config({}))


def test_a_missing_toml_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.toml'.*No such file"):
        read_toml(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"max_trials = ", b"\xff\xfe\x00", b"max_trials = 1\nmax_trials = 2"])
def test_what_is_not_toml_is_refused_by_name(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"bad\.toml'.*TOML"):
        read_toml(path)


def test_a_bad_value_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "search.toml"
    path.write_text("max_trials = 0\n")
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert all(part in str(caught.value) for part in (str(path), "--max-trials 0 "))


def test_a_file_gives_only_what_it_says(tmp_path):
    """Flags and variables must be able to tell a default from a value in the file."""
    path = tmp_path / "search.toml"
    path.write_text("max_trials = 7\n")
    assert read_toml(path) == {"max_trials": 7}
