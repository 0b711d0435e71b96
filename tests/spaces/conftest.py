"""Spaces made of source text, and what the contract finds wrong with them."""

import sys
from functools import cache

import pytest

from search_spaces import DataSpec
from tuner.spaces.checks import run_checks
from tuner.spaces.hypermodel import SpaceHyperModel

SOUND = """
import keras
from keras import layers

def model_of(*middle, rate=0.01, outputs=1, scale=1 / 255):
    last = layers.Dense(outputs, "sigmoid" if outputs == 1 else "softmax")
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Rescaling(scale), layers.Flatten(), *middle, last]
    )
    loss = "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(rate), loss=loss, metrics=["accuracy"])
    return model
"""
PLAIN = """
def build(hp):
    return model_of(layers.Dense(hp.Int("units", 4, 8)))
"""


@pytest.fixture(scope="session")
def findings(tmp_path_factory):
    """Check a space made of this source, the same one once, and return what is wrong by check."""

    @cache
    def run(source, classes=2, name="build"):
        path = tmp_path_factory.mktemp("space") / "space.py"
        path.write_text(SOUND + source)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "path", list(sys.path))
            found = run_checks(SpaceHyperModel(f"{path}:{name}", DataSpec((8, 8, 3), classes)))
            return {finding.check: finding.problem for finding in found}

    return run


def wrong(results):
    return {check: text for check, text in results.items() if text}


def only_wrong(results, check, *words):
    assert list(wrong(results)) == [check]
    for word in words:
        assert word in results[check]
