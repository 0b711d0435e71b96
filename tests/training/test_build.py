"""What a search space must give, and what is said where it does not."""

import keras
import pytest
from keras import layers

from tests.training.models import Hypermodel, failure_of, run, small
from tuner.training.build import build_model

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
        (raises, "the search space raised KeyError: 'units'"),
        (lambda _: None, "build returned NoneType, not a keras.Model"),
        (lambda _: "model", "build returned str"),
        (not_compiled, "not compiled with a loss"),
        (compiled_without_loss, "not compiled with a loss"),
        (lambda _: small(outputs=3), "the model has 3 outputs for 2 classes"),
        (for_larger_images, "takes no images of shape (8, 8, 3)"),
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
