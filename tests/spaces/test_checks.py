"""Each check of the contract finds what breaks it, and says what to do."""

import sys

import pytest

from search_spaces import DataSpec
from tests.spaces.conftest import PLAIN, SOUND, only_wrong, wrong
from tuner.spaces import sample_models
from tuner.spaces.checks import BUILDS, CHECKS, problem
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.spaces.sample_models import Subject

pytestmark = pytest.mark.training


def test_a_sound_space_passes_every_check(findings):
    results = findings(PLAIN)
    assert list(results) == [BUILDS, *CHECKS]
    assert wrong(results) == {}


def test_a_hypermodel_class_can_be_checked(findings):
    source = """
import keras_tuner as kt

class Mine(kt.HyperModel):
    def build(self, hp):
        return model_of(layers.Dense(hp.Int("units", 4, 8)))
"""
    assert wrong(findings(source, name="Mine")) == {}


def test_a_space_that_cannot_be_built_fails_the_first_check_which_quotes_it_and_ends(findings):
    results = findings("def build(hp):\n    raise ValueError('no luck')\n")
    assert list(results) == [BUILDS]
    assert "ValueError: no luck (space.py, line " in results[BUILDS]


def test_outputs_beside_the_number_of_classes_are_found(findings):
    assert "1 outputs for 3 classes" in findings(PLAIN, classes=3)[BUILDS]


def test_a_loss_that_suits_no_labels_is_found_before_anything_else(findings):
    source = (
        PLAIN
        + """
plain = build

def build(hp):
    model = plain(hp)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model
"""
    )
    results = findings(source)
    assert list(results) == [BUILDS]
    assert "'sparse_categorical_crossentropy'" in results[BUILDS]


def test_outputs_that_are_no_probabilities_are_found(findings):
    source = """
def build(hp):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(),
                              layers.Dense(hp.Int("units", 4, 8)), layers.Dense(1)])
    model.compile("sgd", loss="mse")
    return model
"""
    only_wrong(findings(source), "raw pixels give probabilities", "from_logits=True")


def test_logits_are_allowed_where_the_loss_knows(findings):
    source = """
def build(hp):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(),
                              layers.Dense(hp.Int("units", 4, 8)), layers.Dense(1)])
    model.compile("sgd", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return model
"""
    assert wrong(findings(source)) == {}


def test_pixels_that_are_not_scaled_are_found(findings):
    source = """
def build(hp):
    return model_of(layers.Dense(hp.Int("units", 4, 8)), scale=1.0)
"""
    only_wrong(findings(source), "pixels are scaled inside", "Rescaling(1 / 255)")


def test_a_build_that_depends_on_something_else_is_found(findings):
    source = """
import itertools
COUNT = itertools.count(1)

def build(hp):
    hp.Int("units", 4, 8)
    return model_of(layers.Dense(next(COUNT)))
"""
    assert "the same configuration gives the same model" in wrong(findings(source))


def test_a_default_outside_its_range_is_found(findings):
    source = PLAIN.replace("4, 8", "4, 8, default=20")
    only_wrong(findings(source), "every default is one of the values", "'units'", "20")


def test_a_name_with_two_ranges_is_found(findings):
    source = """
def build(hp):
    return model_of(layers.Dense(hp.Int("units", 4, 8)), layers.Dense(hp.Int("units", 10, 20)))
"""
    only_wrong(findings(source), "a name has one range", "'units' is declared twice")


def test_a_name_may_be_used_twice_with_one_range(findings):
    source = """
def build(hp):
    return model_of(layers.Dense(hp.Int("units", 4, 8)), layers.Dense(hp.Int("units", 4, 8)))
"""
    assert wrong(findings(source)) == {}


def test_a_hyperparameter_without_effect_is_found(findings):
    source = """
def build(hp):
    hp.Float("dropout", 0.0, 0.5)
    return model_of(layers.Dense(hp.Int("units", 4, 8)))
"""
    only_wrong(findings(source), "every active hyperparameter changes the model", "'dropout' changes nothing")


def test_a_hyperparameter_that_can_never_be_active_is_found(findings):
    source = """
def build(hp):
    units = hp.Int("units", 4, 8)
    with hp.conditional_scope("units", [9]):
        hp.Int("more", 1, 2)
    return model_of(layers.Dense(units))
"""
    only_wrong(findings(source), "every active hyperparameter changes the model", "'more' is never active")


def test_an_effect_that_needs_two_parents_is_seen(findings):
    source = """
def build(hp):
    parts = []
    if hp.Boolean("deep"):
        parts.append(layers.Dense(3))
    with hp.conditional_scope("deep", [True]):
        kind = hp.Choice("kind", ["flat", "steep"])
        with hp.conditional_scope("kind", ["steep"]):
            units = hp.Int("units", 4, 8)
    if kind:
        parts.append(layers.Dense(2, name=kind))
    if units:
        parts.append(layers.Dense(units))
    return model_of(*parts)
"""
    assert wrong(findings(source)) == {}


def test_what_is_trainable_how_pixels_are_scaled_and_the_learning_rate_are_effects(findings):
    source = """
def build(hp):
    return model_of(
        layers.Dense(5, trainable=hp.Boolean("tune")),
        scale=hp.Choice("scale", [1 / 255, 1 / 127.5]),
        rate=hp.Float("rate", 1e-4, 1e-1, sampling="log"),
    )
"""
    assert wrong(findings(source)) == {}


def test_the_use_of_an_inactive_value_is_found(findings):
    source = """
def build(hp):
    kind = hp.Choice("kind", ["flat", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        hp.Int("units", 4, 8)
    return model_of(layers.Dense(hp.values.get("units", 3)), layers.Dense(len(kind) + (kind == "deep")))
"""
    only_wrong(findings(source), "an inactive hyperparameter changes nothing", "units", "inactive")


def test_a_hyperparameter_that_is_declared_late_is_no_fault(findings):
    source = """
def build(hp):
    parts = [layers.Dense(3) for _ in range(hp.Int("depth", 0, 2))]
    parts = [layers.Dense(hp.Int(f"units_{i}", 2, 4)) for i, _ in enumerate(parts)]
    return model_of(*parts)
"""
    assert wrong(findings(source)) == {}


def test_a_value_that_cannot_be_built_is_found(findings):
    source = """
def build(hp):
    return model_of(layers.Dense(hp.Choice("units", [4, 8, 0])))
"""
    only_wrong(findings(source), "every value can be built", "with units=0")


def test_models_too_large_for_the_memory_are_not_built_and_no_fault(findings, monkeypatch):
    monkeypatch.setattr(sample_models, "MAX_WEIGHTS", 3000)
    source = """
def build(hp):
    units = hp.Int("units", 4, 40)
    if units > 30:
        raise MemoryError("built after all")
    return model_of(layers.Dense(units), *(layers.Dense(4) for _ in range(hp.Int("depth", 0, 2))))
""".replace("if units > 30", "model_of(layers.Dense(units))\n    if units > 30")
    assert wrong(findings(source)) == {}


def test_hyperparameters_that_depend_on_the_classes_are_found(findings):
    source = """
def build(hp, spec):
    units = hp.Int("units", 4, 8 + spec.num_classes)
    return model_of(layers.Dense(units), outputs=1 if spec.num_classes == 2 else spec.num_classes)
"""
    only_wrong(findings(source), "the hyperparameters do not depend on the classes", "number of classes")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def training(hp):\n    hp.Int('epochs', 1, 9)\n", "'epochs'"),
        (
            "def training(hp):\n    hp.Choice('shift', [0.0, 3.0])\n",
            "'shift' may be 0 to 0.5; the space declares 3.0",
        ),
        ("def training(hp):\n    hp.Choice('schedule', ['cosine', 'step'])\n", "constant or cosine"),
        ("def training(hp):\n    raise KeyError('x')\n", "KeyError"),
    ],
)
def test_training_that_cannot_be_done_is_found(findings, source, words):
    only_wrong(findings(PLAIN + source), "training declares what the training can do", words)


def test_training_that_build_declares_is_found(findings):
    source = """
def build(hp):
    return model_of(layers.Dense(hp.Int("units", 4, 8)), rate=hp.Choice("weight_decay", [0.1, 0.2]))
"""
    only_wrong(
        findings(source), "training declares what the training can do", "build declares 'weight_decay'"
    )


def test_no_check_fetches_pretrained_weights(findings):
    source = """
def build(hp):
    weights = hp.Fixed("weights", "imagenet")
    if weights != "none":
        raise OSError("no network")
    with hp.conditional_scope("weights", ["imagenet"]):
        hp.Choice("fine_tune", [0.0, 1.0])
    return model_of(layers.Dense(hp.Int("units", 4, 8)))

PRESETS = {"pretrained": {"weights": "imagenet", "units": 6, "fine_tune": 1.0}}
"""
    assert wrong(findings(source)) == {}


def test_few_models_are_built(tmp_path, monkeypatch):
    """Twelve values of eight hyperparameters need no model each."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "space.py"
    choices = ", ".join(f"layers.Dense(hp.Choice('units_{i}', list(range(1, 13))))" for i in range(8))
    path.write_text(f"{SOUND}\ndef build(hp):\n    return model_of({choices})\n")
    subject = Subject(SpaceHyperModel(str(path), DataSpec((8, 8, 3), 2)))
    assert [problem(check, subject) for check in CHECKS.values()] == [None] * len(CHECKS)
    assert len(subject.built) <= 20


def test_a_normalization_that_lags_behind_is_found(findings):
    source = """
class Lagging(layers.Layer):
    def build(self, shape):
        self.mean = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False)

    def call(self, inputs, training=False):
        mean = keras.ops.mean(inputs, axis=0) if training else self.mean
        if training:
            self.mean.assign(0.999 * self.mean + 0.001 * mean)
        return inputs - mean

def build(hp):
    return model_of(Lagging(), layers.Dense(hp.Int("units", 16, 17), "relu"), rate=0.1)
"""
    only_wrong(findings(source), "a trained model is as good in inference as in training", "`training`")


def test_keras_own_normalization_is_no_fault(findings):
    source = """
def build(hp):
    return model_of(layers.Dense(hp.Int("units", 16, 17), "relu"), layers.BatchNormalization(), rate=0.1)
"""
    assert wrong(findings(source)) == {}
