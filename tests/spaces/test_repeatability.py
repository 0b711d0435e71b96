"""A build that depends on anything but its hyperparameters is found."""

import pytest

from search_spaces import DataSpec
from tests.spaces.conftest import SOUND
from tuner.spaces.sample_models import Subject
from tuner.spaces.search_space import SearchSpace

pytestmark = pytest.mark.training


def repeats(source, tmp_path):
    path = tmp_path / "space.py"
    path.write_text(SOUND + source)
    return Subject(SearchSpace(str(path), DataSpec((8, 8, 3), 2))).repeats


@pytest.mark.parametrize(
    "value",
    [
        "random.random() > 0.5",
        "np.random.rand() > 0.5",
        "np.random.randint(2)",
        "next(COUNT) % 2",
    ],
)
def test_a_layer_that_depends_on_it_is_found(value, tmp_path):
    source = f"""
import itertools, random
import numpy as np
COUNT = itertools.count()

def build(hp):
    return model_of(*([layers.BatchNormalization()] if {value} else []), layers.Dense(hp.Int("units", 4, 8)))
"""
    assert not repeats(source, tmp_path)


def test_a_random_setting_is_found(tmp_path):
    source = """
import random

def build(hp):
    return model_of(layers.Dense(hp.Int("units", 4, 8)), rate=random.random())
"""
    assert not repeats(source, tmp_path)


def test_random_weights_dropout_and_augmentation_are_none(tmp_path):
    source = """
def build(hp):
    middle = [layers.Dropout(0.5), layers.Dense(hp.Int("units", 4, 8), "relu"), layers.GaussianNoise(0.1)]
    model = model_of(*middle)
    inputs = keras.Input((8, 8, 3))
    whole = keras.Model(inputs, model(layers.RandomRotation(0.1)(layers.RandomFlip()(inputs))))
    whole.compile("sgd", "binary_crossentropy")
    return whole
"""
    assert repeats(source, tmp_path)


OWN_CLASS = """
class Own(keras.Model):
    pass

def build(hp):
    inputs = keras.Input((8, 8, 3))
    pixels = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    model = Own(inputs, layers.Dense(1, "sigmoid")(layers.Dense(hp.Int("units", 4, 8))(pixels)))
    {}
    model.compile("sgd", "binary_crossentropy")
    return model
"""


@pytest.mark.parametrize(("attribute", "is_same"), [("pass", True), ("model.rate = random.random()", False)])
def test_a_model_of_an_own_class_is_the_same_before_and_after_a_call(attribute, is_same, tmp_path):
    path = tmp_path / "space.py"
    path.write_text(f"{SOUND}import random\n{OWN_CLASS.format(attribute)}")
    subject = Subject(SearchSpace(str(path), DataSpec((8, 8, 3), 2)))
    assert subject.outputs.shape == (6, 1)
    assert subject.repeats is is_same
