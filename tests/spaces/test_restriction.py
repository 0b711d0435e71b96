"""Cutting a space down to the values that the user wants."""

import keras_tuner as kt
import pytest

from search_spaces import DataSpec
from tuner.errors import SpaceError, UsageError
from tuner.spaces.configurations import space_size
from tuner.spaces.hypermodel import SpaceHyperModel

SPEC = DataSpec((8, 8, 3), 2)
SPACE = """
import keras

PRESETS = {"plain": {"units": 20, "optimizer": "sgd", "blur": 0.5}}

def build(hp, spec):
    units = hp.Int("units", 10, 50, step=10)
    rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    weights = hp.Fixed("weights", "imagenet")
    optimizer = hp.Choice("optimizer", ["adam", "sgd"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Choice("momentum", [0.0, 0.5, 0.9])
    return units, weights, optimizer

def training(hp):
    hp.Choice("batch_size", [32, 64])
    hp.Boolean("vertical_flip")
    hp.Choice("blur", [0.0, 0.5])
"""


@pytest.fixture
def declare(tmp_path):
    """What a space declares under a restriction, as the Oracle sees it."""

    def run(*only, text=SPACE, **fixed):
        path = tmp_path / "restricted_space.py"
        path.write_text(text)
        hypermodel = SpaceHyperModel(str(path), SPEC, only, tuple(fixed.items()))
        hp = hypermodel.hyperparameters()
        hypermodel.build(hp)
        names = hypermodel.training(hp)
        return hp, names

    return run


def values(hp, name):
    return [list(parameter.values) for parameter in hp.space if parameter.name == name]


def test_without_a_restriction_nothing_changes(declare):
    hp, names = declare()
    assert values(hp, "units") == [[10, 20, 30, 40, 50]]
    assert names == ("batch_size", "vertical_flip", "blur")


def test_one_value_fixes_a_hyperparameter_and_several_leave_a_choice(declare):
    hp, _ = declare("units=20|50", "optimizer=sgd")
    assert values(hp, "units") == [[20, 50]]
    assert values(hp, "optimizer") == [["sgd"]]


def test_several_may_stand_in_one_text(declare):
    hp, _ = declare("units=20,optimizer=sgd")
    assert values(hp, "units") == [[20]]
    assert values(hp, "optimizer") == [["sgd"]]


def test_what_is_given_later_wins(declare):
    assert values(declare("units=20", "units=30")[0], "units") == [[30]]


def test_a_preset_fixes_its_values_and_others_change_them(declare):
    hp, _ = declare("preset=plain,units=40")
    assert values(hp, "units") == [[40]]
    assert values(hp, "optimizer") == [["sgd"]]
    assert values(hp, "blur") == [[0.5]]
    assert values(hp, "batch_size") == [[32, 64]]


def test_the_default_stays_where_it_is_wanted(declare):
    assert declare("units=30|10")[0].values["units"] == 10
    assert declare("units=30|20")[0].values["units"] == 30


def test_a_truth_value_stays_one(declare):
    hp, _ = declare("vertical_flip=false")
    assert hp.values["vertical_flip"] is False
    assert kt.HyperParameters.from_config(hp.get_config()).values["vertical_flip"] is False
    assert values(declare("vertical_flip=false|true")[0], "vertical_flip") == [[True, False]]


def test_a_range_takes_numbers_inside(declare):
    assert values(declare("rate=0.01|0.02")[0], "rate") == [[0.01, 0.02]]


def test_a_fixed_hyperparameter_may_become_another_of_its_type(declare, tmp_path):
    (tmp_path / "net.weights.h5").touch()
    assert values(declare("weights=none")[0], "weights") == [["none"]]
    assert values(declare(f"weights={tmp_path / 'net.weights.h5'}")[0], "weights") == [
        [str(tmp_path / "net.weights.h5")]
    ]


def test_training_values_of_the_request_hold_whatever_the_range(declare):
    assert values(declare(batch_size=48)[0], "batch_size") == [[48]]


def test_conditions_stay(declare):
    hp, _ = declare("momentum=0.5|0.9")
    condition = next(p for p in hp.space if p.name == "momentum").conditions[0]
    assert (condition.name, list(condition.values)) == ("optimizer", ["sgd"])


def test_a_restricted_space_travels_to_the_oracle(declare):
    hp, _ = declare("momentum=0.5", "units=10|20", "rate=0.01")
    again = kt.HyperParameters.from_config(hp.get_config())
    assert space_size(again) == 2 * 2 * 2 * 2 * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "units=15",
            "--hp units=15: units=15 is not allowed. Allowed: 10 to 50 in steps of 10. Nearest: 10.",
        ),
        ("units=10|many", "units=many is not allowed."),
        ("optimizer=sdg", "Did you mean 'sgd'?"),
        ("weights=nowhere.h5", "'nowhere.h5': no such file. Allowed: imagenet, none"),
        ("units", "'units' is not NAME=VALUE."),
        ("preset=plian", "unknown preset 'plian'. Did you mean 'plain'?"),
    ],
)
def test_a_value_that_is_not_allowed_is_an_error_that_says_what_is(declare, text, message):
    with pytest.raises(UsageError) as caught:
        declare(text)
    assert message in str(caught.value)


def test_training_declares_what_training_knows_only(declare):
    with pytest.raises(SpaceError, match="'batchsize'"):
        declare(text=SPACE.replace('"batch_size"', '"batchsize"'))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('Choice("shift", [0.0, 3.0])', "'shift' may be 0 to 0.5; the space declares 3.0."),
        ('Float("shift", 0.0, 3.0)', "'shift' may be 0 to 0.5; the space declares 3.0."),
        ('Int("jpeg_quality", 0, 100, step=10)', "'jpeg_quality' may be 1 to 100; the space declares 0."),
        ('Fixed("jpeg_quality", 101)', "'jpeg_quality' may be 1 to 100; the space declares 101."),
        ('Boolean("patience")', "'patience' may be 0 to 1048576; the space declares True."),
        (
            'Choice("schedule", ["cosine", "step"])',
            "'schedule' may be constant or cosine; the space declares step.",
        ),
    ],
)
def test_training_declares_values_that_training_can_do(declare, declared, message):
    with pytest.raises(SpaceError) as caught:
        declare(text=SPACE.replace('Choice("blur", [0.0, 0.5])', declared))
    assert str(caught.value) == message


def test_a_value_that_training_cannot_do_may_be_left_out_of_the_search(declare):
    text = SPACE.replace('Choice("blur", [0.0, 0.5])', 'Choice("shift", [0.0, 3.0])')
    assert values(declare("shift=0", text=text)[0], "shift") == [[0.0]]


def test_build_leaves_the_names_of_the_training_alone(declare):
    with pytest.raises(SpaceError, match="'shift'"):
        declare(text=SPACE.replace('hp.Int("units"', 'hp.Int("shift"'))
