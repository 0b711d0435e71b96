"""Grad-CAM, on models whose maps can be told in advance."""

from typing import Any

import numpy as np
import pytest

from tuner.training.grad_cam import grad_cam

pytestmark = pytest.mark.training


def model(weight: float, bias: float = 0.0, outputs: int = 1) -> Any:
    """The mean of the first channel, times a weight, through a sigmoid; or through a softmax against zero."""
    import keras
    from keras import layers

    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(2, 1, use_bias=False)(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    made = keras.Model(inputs, layers.Dense(outputs, activation="sigmoid" if outputs == 1 else "softmax")(x))
    kernel = np.zeros((1, 1, 3, 2), np.float32)
    kernel[0, 0, 0, 0] = 1
    dense = np.zeros((2, outputs), np.float32)
    dense[0, -1] = weight
    made.layers[1].set_weights([kernel])
    made.layers[-1].set_weights([dense, np.full(outputs, bias, np.float32)])
    return made


def spot(row: int, column: int) -> np.ndarray:
    images = np.zeros((1, 4, 4, 3), np.uint8)
    images[0, row, column] = 200
    images[0, 0, 0, 0] = 50
    return images


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_map_is_where_the_image_speaks_for_the_class(outputs: int) -> None:
    maps = grad_cam(model(0.1, outputs=outputs), spot(1, 2), np.array([1]))
    assert maps is not None
    wanted = np.zeros((1, 4, 4))
    wanted[0, 1, 2], wanted[0, 0, 0] = 1, 0.25
    np.testing.assert_allclose(maps, wanted, atol=1e-6)


def test_what_speaks_against_a_class_is_not_on_its_map() -> None:
    maps = grad_cam(model(0.1), spot(1, 2), np.array([0]))
    assert maps is not None
    assert not maps.any()


def test_of_the_first_of_two_classes_it_is_what_lowers_the_only_output() -> None:
    maps = grad_cam(model(-0.1), spot(3, 0), np.array([0]))
    assert maps is not None
    assert np.unravel_index(maps[0].argmax(), (4, 4)) == (3, 0)


def test_a_probability_that_cannot_be_told_from_one_still_has_a_map() -> None:
    made = model(5.0, bias=500.0)
    maps = grad_cam(made, spot(2, 2), np.array([1]))
    assert maps is not None
    assert maps.max() == 1
    assert made.layers[-1].activation.__name__ == "sigmoid"


def test_each_image_has_its_own_map_also_in_several_batches() -> None:
    images = np.concatenate([spot(i % 3 + 1, i % 4) for i in range(40)])
    maps = grad_cam(model(0.1), images, np.ones(40, np.int64))
    assert maps is not None
    assert [np.unravel_index(each.argmax(), (4, 4)) for each in maps] == [
        (i % 3 + 1, i % 4) for i in range(40)
    ]


def test_the_map_may_be_the_output_of_a_model_within_the_model() -> None:
    import keras
    from keras import layers

    inner = model(0.1)
    backbone = keras.Model(inner.inputs[0], inner.layers[1].output)
    inputs = keras.Input((4, 4, 3))
    outputs = inner.layers[-1](layers.GlobalAveragePooling2D()(backbone(inputs)))
    images, classes = spot(1, 2), np.array([1])
    maps, plain = (grad_cam(each, images, classes) for each in (keras.Model(inputs, outputs), inner))
    assert maps is not None
    np.testing.assert_array_equal(maps, plain)


def test_models_without_a_map_of_features_or_with_attention_have_none() -> None:
    import keras
    from keras import layers

    inputs = keras.Input((4, 4, 3))
    flat = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Flatten()(inputs)))
    patches = layers.Reshape((16, 3))(layers.Conv2D(3, 1)(inputs))
    attended = layers.MultiHeadAttention(1, 2)(patches, patches)
    attending = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(attended)))
    for each in (flat, attending):
        assert grad_cam(each, spot(0, 0), np.array([1])) is None
