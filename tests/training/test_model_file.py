"""What a .keras file needs beside Keras is read from it, without loading it."""

import keras
import pytest
from keras import layers

from tuner.training.model_file import LAMBDA, LAMBDA_ACTIVATION, loss_takes_logits, own_parts

pytestmark = pytest.mark.training


class Own(layers.Layer):  # type: ignore[misc]
    """A layer that is not registered."""

    def call(self, inputs):
        return inputs


@keras.saving.register_keras_serializable()
class Registered(Own):
    """The same, registered."""


def own_activation(inputs):
    return inputs


def saved(folder, *parts, loss="binary_crossentropy", metrics=()):
    model = keras.Sequential([keras.Input((8, 8, 3)), *parts, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", loss, metrics=list(metrics))
    path = folder / "model.keras"
    model.save(path)
    return path


def test_a_model_of_keras_needs_nothing(tmp_path):
    inputs = keras.Input((8, 8, 3))
    outputs = layers.Dense(1)(layers.Flatten()(keras.ops.relu(inputs / 255)))
    path = tmp_path / "model.keras"
    keras.Model(inputs, outputs).save(path)
    assert own_parts(path) == ()


def test_layers_and_functions_are_named_wherever_they_are(tmp_path):
    path = saved(
        tmp_path, keras.Sequential([Own(), Registered()]), layers.Dense(2, activation=own_activation)
    )
    assert own_parts(path) == ("Own", "Registered", "own_activation")
    assert own_parts(path, registered=False) == ("Own", "own_activation")


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_lambda_has_no_name(tmp_path):
    assert own_parts(saved(tmp_path, layers.Lambda(lambda x: x))) == (LAMBDA,)
    activation = layers.Dense(2, activation=lambda x: x)
    assert own_parts(saved(tmp_path, activation)) == (LAMBDA_ACTIVATION,)


def test_a_loss_of_ones_own_is_not_needed_to_predict(tmp_path):
    assert own_parts(saved(tmp_path, loss=own_activation, metrics=[own_activation])) == ()


@pytest.mark.parametrize("from_logits", [True, False])
def test_whether_a_loss_takes_logits_is_kept(tmp_path, from_logits):
    path = saved(tmp_path, loss=keras.losses.BinaryCrossentropy(from_logits=from_logits))
    assert loss_takes_logits(path) is from_logits


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.keras").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"no \.keras file"):
        own_parts(tmp_path / "x.keras")
