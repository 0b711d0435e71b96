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
