"""What the contract asks of the presets of a space."""

import pytest

from tests.spaces.conftest import PLAIN, only_wrong, wrong

pytestmark = pytest.mark.training

CHECK = "every preset is a configuration of the space"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"units": 9}, "'units' cannot be 9"),
        ({"unit": 4}, "there is no 'unit'"),
        ({"batch_size": 33}, "'batch_size' cannot be 33"),
    ],
)
def test_a_preset_outside_the_space_is_found(findings, values, words):
    training = "def training(hp):\n    hp.Choice('batch_size', [32, 64])\n"
    source = f"{PLAIN}{training}PRESETS = {{'mine': {values!r}}}\n"
    only_wrong(findings(source), CHECK, "preset 'mine'", words)


@pytest.mark.parametrize("missing", ["units", "batch_size"])
def test_a_preset_that_leaves_a_value_open_is_found(findings, missing):
    training = "def training(hp):\n    hp.Choice('batch_size', [32, 64])\n"
    values = {name: value for name, value in {"units": 7, "batch_size": 64}.items() if name != missing}
    source = f"{PLAIN}{training}PRESETS = {{'mine': {values!r}}}\n"
    only_wrong(findings(source), CHECK, f"preset 'mine' leaves '{missing}' open")


def test_a_preset_names_what_is_active_in_it(findings):
    source = """
def build(hp):
    units = hp.Choice("units", [4, 8])
    with hp.conditional_scope("units", [8]):
        rate = hp.Choice("rate", [0.1, 0.2])
    return model_of(layers.Dense(units), rate=rate or 0.3)

PRESETS = {"narrow": {"units": 4}, "wide": {"units": 8, "rate": 0.2}}
"""
    assert wrong(findings(source)) == {}


@pytest.mark.parametrize(("share", "problem"), [('"fine_tune": 1.0', None), ("", "'fine_tune' open")])
def test_a_preset_leaves_the_weights_open_but_not_what_they_make_active(findings, share, problem):
    source = f"""
def build(hp):
    hp.Fixed("weights", "imagenet")
    with hp.conditional_scope("weights", ["imagenet"]):
        hp.Choice("fine_tune", [0.0, 1.0])
    return model_of(layers.Dense(hp.Int("units", 4, 8)))

PRESETS = {{"mine": {{"units": 6, {share}}}}}
"""
    text = findings(source)[CHECK]
    assert problem in text if problem else text is None
