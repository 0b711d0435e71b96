"""Settings of compile that act otherwise than in plain Keras are told."""

import keras
import numpy as np
import pytest

from tests.training.models import run, small
from tuner.spaces.compile_settings import unused_settings
from tuner.training.build import build_model

pytestmark = pytest.mark.training


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"run_eagerly": True}, "run_eagerly"),
        ({"steps_per_execution": 4}, "steps_per_execution"),
        ({"jit_compile": keras.config.backend() == "tensorflow"}, "jit_compile"),
        ({"loss_weights": 0.5, "weighted_metrics": ["auc"]}, None),
        ({}, None),
    ],
)
def test_each_is_named(settings, word):
    model = small()
    model.compile("sgd", "binary_crossentropy", **settings)
    notes = list(unused_settings(model, np.zeros((1, 8, 8, 3), np.uint8)))
    assert [word in note for note in notes] == ([True] if word else [])


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="a strategy of TensorFlow")
def test_a_strategy_is_told_and_has_no_effect(dataset, tmp_path):
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0"])

    class Space:
        @staticmethod
        def build(_):
            with strategy.scope():
                return small()

    model = build_model(Space, {}, dataset)
    [note] = unused_settings(model, dataset.images[:2])
    assert "MirroredStrategy" in note
    assert "--workers" in note
    done, _ = run(tmp_path, Space.build, dataset)
    assert done.epochs == 1
    with strategy.scope():  # elsewhere it acts as before
        assert tf.distribute.get_strategy() is strategy
