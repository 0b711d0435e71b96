"""Exports: what is baked in, what is inside, and what is refused."""

from importlib.util import find_spec

import numpy as np
import pytest

from tests.sources.refusals import refusal
from tuner.errors import UsageError
from tuner.models.conversion import (
    calibrate,
    calibrated_probabilities,
    convert,
    copied,
    keras_probabilities,
)
from tuner.models.runtimes import Runtime, export_format, read_facts, write_facts
from tuner.statistics.calibration import at_temperature

pytestmark = pytest.mark.training

SIDE = 8
IMAGES = np.random.default_rng(0).integers(0, 256, (20, SIDE, SIDE, 3)).astype(np.uint8)
ALL = np.arange(len(IMAGES))


def model(outputs=1, activation="sigmoid", from_logits=False, end=(), listed=False):
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    x = layers.Dense(outputs, activation=activation, bias_initializer="ones")(x)
    for layer in end:
        x = layer(x)
    made = keras.Model(inputs, x)
    kind = keras.losses.BinaryCrossentropy if outputs == 1 else keras.losses.SparseCategoricalCrossentropy
    loss = kind(from_logits=from_logits)
    made.compile("adam", [loss] if listed else loss)
    return made


MODELS = {
    "sigmoid": {},
    "softmax": {"outputs": 3, "activation": "softmax"},
    "one logit": {"activation": None, "from_logits": True},
    "logits": {"outputs": 3, "activation": None, "from_logits": True},
    "logits, loss in a list": {"outputs": 3, "activation": None, "from_logits": True, "listed": True},
}
kinds = pytest.mark.parametrize("kind", MODELS)


@kinds
def test_a_temperature_in_the_weights_is_a_temperature_on_the_logits(kind):
    made = model(**MODELS[kind])
    wanted = at_temperature(keras_probabilities(made, IMAGES, ALL), 2.5)
    assert calibrated_probabilities(made, 2.5, IMAGES, ALL) == pytest.approx(wanted, abs=1e-5)
    calibrate(made, 2.5)
    assert keras_probabilities(made, IMAGES, ALL) == pytest.approx(wanted, abs=1e-5)


def test_an_activation_that_is_a_layer_of_its_own_is_calibrated_too():
    from keras import layers

    made = model(activation=None, end=(layers.Activation("sigmoid"),))
    wanted = at_temperature(keras_probabilities(made, IMAGES, ALL), 0.5)
    calibrate(made, 0.5)
    assert keras_probabilities(made, IMAGES, ALL) == pytest.approx(wanted, abs=1e-5)


def test_a_model_without_logits_cannot_be_calibrated():
    from keras import layers

    made = model(end=(layers.Dropout(0.5),))
    with refusal(UsageError, "--calibrated", "Dropout", "Dense", "sigmoid"):
        calibrate(made, 2.0)


def test_a_copy_in_full_precision_has_the_same_weights_and_no_reduced_layer():
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        made = model()
    finally:
        keras.config.set_dtype_policy("float32")
    copy = copied(made, full_precision=True)
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    assert all(map(np.array_equal, copy.get_weights(), made.get_weights()))
    assert copied(made, full_precision=False).layers[-1].compute_dtype == "bfloat16"


@kinds
@pytest.mark.parametrize("name", ["model.onnx", "model.tflite", "model"])
def test_every_format_gives_the_probability_of_each_class(tmp_path, name, kind):
    if name == "model.onnx":
        pytest.importorskip("tf2onnx", reason="the extra onnx is not installed")
    made, path = model(**MODELS[kind]), tmp_path / name
    convert(made, path, export_format(name))
    found = Runtime(path, trust=True).predict(IMAGES, ALL[3:])
    assert found == pytest.approx(keras_probabilities(made, IMAGES, ALL[3:]), abs=1e-5)


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite", "model", "model.keras"])
def test_facts_and_labels_are_inside_and_the_model_still_loads(tmp_path, name):
    if name == "model.onnx":
        pytest.importorskip("tf2onnx", reason="the extra onnx is not installed")
    made, path = model(), tmp_path / name
    convert(made, path, export_format(name))
    facts = {"class_names": ["FÄKE", "real photo"], "threshold": 0.25}
    write_facts(path, facts)
    assert read_facts(path) == facts
    if name != "model.keras":
        assert Runtime(path, trust=True).predict(IMAGES, ALL).shape == (20, 2)


def test_a_folder_or_a_slash_asks_for_a_saved_model():
    assert [export_format(name) for name in ("out", "out/", "v1.2/")] == ["saved_model"] * 3


def test_a_damaged_export_is_named(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"nothing")
    with refusal(UsageError, tmp_path / "model.tflite", "loaded", "tuner best --export"):
        Runtime(tmp_path / "model.tflite", trust=True)
    with refusal(UsageError, tmp_path / "model.tflite", "class_names", "tuner best --export"):
        read_facts(tmp_path / "model.tflite")


@pytest.mark.skipif(not find_spec("tf2onnx"), reason="the extra onnx is not installed")
@pytest.mark.parametrize("activation", ["gelu", "silu", "relu6"])
def test_activations_of_the_spaces_can_be_written_as_onnx(tmp_path, activation):
    from keras import layers

    made = model(outputs=16, activation=activation, end=(layers.Dense(2, activation="softmax"),))
    convert(made, tmp_path / "m.onnx", "onnx")
    found = Runtime(tmp_path / "m.onnx", trust=True).predict(IMAGES, ALL)
    assert found == pytest.approx(keras_probabilities(made, IMAGES, ALL), abs=1e-5)


def test_a_saved_model_keeps_each_weight_once(tmp_path):
    made = model(outputs=100, activation="softmax")
    convert(made, tmp_path / "m", "saved_model")
    size = sum(path.stat().st_size for path in (tmp_path / "m" / "variables").iterdir())
    assert size < 1.5 * 4 * made.count_params()
    found = Runtime(tmp_path / "m", trust=True).predict(IMAGES, ALL)
    assert found == pytest.approx(keras_probabilities(made, IMAGES, ALL), abs=1e-6)


@pytest.mark.parametrize("last", ["sigmoid", None])
def test_sigmoid_units_one_for_each_class_are_exported_as_probabilities(last, tmp_path):
    import keras

    made = model(outputs=3, activation=last)
    made.compile("adam", keras.losses.BinaryCrossentropy(from_logits=last is None))
    convert(made, tmp_path / "model", export_format("model"))
    found = Runtime(tmp_path / "model", trust=True).predict(IMAGES, ALL)
    assert found == pytest.approx(keras_probabilities(made, IMAGES, ALL), abs=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    with refusal(UsageError, "--calibrated", "softmax"):
        calibrate(made, 2.0)
