"""What a search space must give, and what is said where it does not."""

import sys

import keras
import pytest
from keras import layers

from search_spaces import DataSpec
from tests.training.models import Hypermodel, failure_of, run, small
from tuner.errors import SpaceError
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.training.build import build_model
from tuner.training.task import TrialError

pytestmark = pytest.mark.training


def sigmoid(_):
    return small()


def raises(_):
    raise KeyError("units")


def not_compiled(_):
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1)])


def compiled_without_loss(_):
    model = not_compiled(_)
    model.compile("adam")
    return model


def for_larger_images(_):
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten(), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def averaged(_):
    return small(keras.optimizers.Adam(use_ema=True))


def with_two_heads(_):
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(inputs)
    model = keras.Model(inputs, [layers.Dense(1)(x), layers.Dense(1)(x)])
    model.compile("adam", ["mse", "mse"])
    return model


def with_named_heads(_):
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(inputs)
    model = keras.Model(inputs, {"a": layers.Dense(1)(x), "b": layers.Dense(1)(x)})
    model.compile("adam", {"a": "mse", "b": "mse"})
    return model


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (raises, "KeyError: 'units'"),
        (lambda _: None, "returned NoneType"),
        (lambda _: "model", "returned str"),
        (not_compiled, "not compiled"),
        (compiled_without_loss, "not compiled with a loss"),
        (lambda _: small(outputs=3), "3 outputs for 2 classes"),
        (for_larger_images, "(8, 8, 3)"),
        (averaged, "ema_overwrite_frequency"),
        (with_two_heads, "2 output layers"),
        (with_named_heads, "2 output layers"),
    ],
)
def test_a_space_that_gives_no_usable_model_fails_the_trial_with_reason_build(
    dataset, tmp_path, build, words
):
    error = failure_of(build, dataset, tmp_path)
    assert error.reason == "build"
    assert words in str(error)
    assert "\n" not in str(error)


def test_one_output_for_three_classes_is_refused(three_classes, tmp_path):
    assert "1 outputs for 3 classes" in str(failure_of(sigmoid, three_classes, tmp_path))


def test_a_softmax_over_three_classes_trains(three_classes, tmp_path):
    done, _ = run(tmp_path, lambda _: small(outputs=3), three_classes)
    assert done.epochs == 1


def test_a_softmax_over_two_classes_trains(dataset, tmp_path):
    done, _ = run(tmp_path, lambda _: small(outputs=2), dataset)
    assert done.epochs == 1


def test_averages_of_weights_that_reach_the_model_train(dataset, tmp_path):
    def build(_):
        return small(keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=2))

    done, _ = run(tmp_path, build, dataset)
    assert done.epochs == 1


def test_a_model_without_input_shape_is_built_for_the_data(dataset):
    """As in the smallest space of Keras Tuner's own guide."""

    def build(_):
        model = keras.Sequential([layers.Flatten(), layers.Dense(1, activation="sigmoid")])
        model.compile("adam", "binary_crossentropy")
        return model

    assert build_model(Hypermodel(build), {}, dataset).count_params() == 193


def test_the_values_reach_the_space(dataset):
    def build(hp):
        assert hp.Int("units", 1, 64) == 7
        return small()

    build_model(Hypermodel(build), {"units": 7}, dataset)


@pytest.fixture
def message_of(dataset, tmp_path, monkeypatch):
    """What is said of a space that cannot be built."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(reference, source="", shape=(8, 8, 3)):
        if source:
            (tmp_path / f"{reference.partition(':')[0].removesuffix('.py')}.py").write_text(source)
        with pytest.raises((TrialError, SpaceError)) as caught:
            build_model(SpaceHyperModel(reference, DataSpec(shape, 2)), {}, dataset)
        return str(caught.value)

    return run


def test_an_error_in_a_space_is_placed_in_its_file(message_of):
    source = "import json\n\ndef build(hp):\n    json.loads('{')\n"
    text = message_of("with_bad_json.py", source)
    assert "JSONDecodeError: " in text
    assert "with_bad_json.py, line 4" in text


@pytest.mark.parametrize("reference", ["with_bad_syntax.py", "with_bad_syntax:build"])
def test_a_file_that_is_no_python_is_named_once(message_of, reference):
    text = message_of(reference, "def build(hp):\n    return return\n")
    assert "invalid syntax" in text
    assert "with_bad_syntax.py', line 2" in text
    assert text.count("with_bad_syntax") == 1


def test_what_a_built_in_space_says_itself_is_told_as_it_is(message_of):
    text = message_of("transfer", shape=(8, 8, 4))
    assert "images of 4 channels" in text
    assert not any(word in text for word in ("ValueError", ".py", "raised"))


def test_what_keras_says_of_a_built_in_space_is_placed_there(message_of):
    text = message_of("sequential", shape=(2, 2, 3))
    assert "ValueError: " in text
    assert "sequential.py, line " in text


def test_the_value_error_of_a_space_of_ones_own_is_placed(message_of):
    text = message_of("strict.py", "def build(hp):\n    raise ValueError('no luck')\n")
    assert "ValueError: no luck" in text
    assert "strict.py, line 2" in text
