"""An error of a library is told by the line that says what is wrong, and its place in the user's code."""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.training.models import small
from tuner.training.error_text import described
from tuner.training.loop import make_loop

pytestmark = pytest.mark.training


class Fails(layers.Layer):  # type: ignore[misc]
    """A layer whose call in training fails as told."""

    def __init__(self, fail):
        super().__init__()
        self.fail = fail

    def call(self, inputs, training=False):
        return self.fail(inputs) if training else inputs


def branches(values, *_):
    if ops.mean(values) > 0:
        return ops.mean(values)
    return ops.mean(-values)


def reshapes(*values):
    return values[-1] + 0 * ops.mean(ops.reshape(values[-1], (-1, 7)))


def computes_with_numpy(values, *_):
    return np.mean(np.array(values))


def makes_a_number(values, *_):
    return float(ops.mean(values))


def said_of(fail, dataset, where):
    layer = [Fails(fail)] if where == "layer" else []
    model = keras.Sequential([keras.Input((8, 8, 3)), *layer, *small().layers])
    model.compile("sgd", "binary_crossentropy" if layer else fail)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each backend has its own
        make_loop(model, dataset.images, dataset.labels).train_epoch(np.arange(32), 16, lambda *_: None)
    return described(caught.value)


@pytest.mark.parametrize("where", ["loss", "layer"])
@pytest.mark.parametrize(
    ("fail", "word"),
    [
        (branches, "boolean conversion|Python `bool`"),
        (reshapes, "reshape"),
        (computes_with_numpy, "(?i)numpy"),
        (makes_a_number, r"float\(\)|concrete value"),
    ],
)
def test_errors_in_training_are_told_in_one_line_with_their_place(fail, word, where, dataset):
    text = said_of(fail, dataset, where)
    assert re.search(word, text)
    assert "\n" not in text
    assert re.search(r"\(test_error_text\.py, line \d+\)$", text)
    assert "Graph execution" not in text
    assert "_error_repr" not in text


def test_a_code_of_tensorflow_is_left_out():
    text = (
        "Graph execution error:\n\nDetected at node a/b defined at (most recent call last):\n"
        '  File "/x/space.py", line 3, in loss\n\n  File "/y/site-packages/keras/a.py", line 9, in f\n\n'
        "2 root error(s) found.\n  (0) RESOURCE_EXHAUSTED:  OOM when allocating tensor with shape[9,9]\n"
        "\t [[{{node a/b}}]]\n"
    )
    assert described(RuntimeError(text)) == (
        "RuntimeError: OOM when allocating tensor with shape[9,9] (space.py, line 3)"
    )


def test_an_error_in_quoted_code_is_told_by_its_own_text():
    text = (
        'in user code:\n\n    File "/x/space.py", line 3, in call  *\n        return f(x)\n\n'
        "    ValueError: Exception encountered when calling Net.call().\n    \n    the shapes differ\n    \n"
        "    Arguments received by Net.call():\n      • x=1\n"
    )
    assert "the shapes differ" in described(ValueError(text))
