"""Attention rollout, against what the equations give by hand."""

from typing import Any

import numpy as np
import pytest

from tuner.training.attention import attention_rollout, attention_scores, rollout
from tuner.training.heatmaps import ATTENTION_ROLLOUT, GRAD_CAM, heatmaps

pytestmark = pytest.mark.training

IMAGE = np.array([[[[1, 0, 0], [2, 0, 0]], [[0, 0, 0], [0, 0, 0]]]], np.uint8)


def transformer(token: bool = False, layers: int = 1, side: int = 2, heads: int = 1) -> Any:
    """Each pixel is a patch; it looks at others by the product of first channels, and takes nothing."""
    import keras
    from keras.layers import Add, Dense, GlobalAveragePooling1D, MultiHeadAttention, Reshape, ZeroPadding1D

    inputs = keras.Input((side, side, 3))
    x = Reshape((side * side, 3))(inputs)
    if token:
        x = ZeroPadding1D((1, 0))(x)
    attending = [MultiHeadAttention(heads, 1, use_bias=False) for _ in range(layers)]
    for layer in attending:
        x = Add()([x, layer(x, x)])
    x = x[:, 0] if token else GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, Dense(1, activation="sigmoid")(x))
    for layer in attending:
        query, key, *rest = (np.zeros_like(each) for each in layer.get_weights())
        query[0, :, 0] = key[0, :, 0] = 1
        layer.set_weights([query, key, *rest])
    return model


def by_hand(firsts: list[float]) -> np.ndarray:
    """What a layer of `transformer` mixes, from the first channels of its tokens: (tokens, tokens)."""
    products = np.exp(np.outer(firsts, firsts))
    return np.asarray(0.5 * products / products.sum(axis=1, keepdims=True) + 0.5 * np.eye(len(firsts)))


def stretched(reached: np.ndarray) -> np.ndarray:
    return np.asarray((reached - reached.min()) / (reached.max() - reached.min())).reshape(1, 2, 2)


def test_half_of_a_token_comes_past_the_attention_and_half_through_the_mean_of_heads() -> None:
    heads: Any = [[[[1, 0], [0, 1]], [[0, 1], [0, 1]]]]  # their mean: [[0.5, 0.5], [0, 1]]
    flow = rollout([np.array(heads, np.float32)])
    assert flow is not None
    np.testing.assert_allclose(flow[0], [[0.75, 0.25], [0.0, 1.0]])


def test_layers_multiply_from_the_first_to_the_last() -> None:
    first = np.array([[[[1, 0], [1, 0]]]], np.float32)  # with what comes past it [[1, 0], [0.5, 0.5]]
    second = np.array([[[[0, 1], [0, 1]]]], np.float32)  # [[0.5, 0.5], [0, 1]]
    forth, back = rollout([first, second]), rollout([second, first])
    assert forth is not None
    assert back is not None
    np.testing.assert_allclose(forth[0], [[0.75, 0.25], [0.5, 0.5]])
    np.testing.assert_allclose(back[0], [[0.5, 0.5], [0.25, 0.75]])


def test_without_a_class_token_a_map_is_the_mean_over_patches() -> None:
    maps = attention_rollout(transformer(), IMAGE)
    assert maps is not None
    np.testing.assert_allclose(maps, stretched(by_hand([1, 2, 0, 0]).mean(axis=0)), atol=1e-5)


def test_with_a_class_token_a_map_is_what_reaches_it() -> None:
    maps = attention_rollout(transformer(token=True, layers=2), IMAGE)
    assert maps is not None
    # The token is zero, and so looks at all alike; patches do not.
    mixed = by_hand([0, 1, 2, 0, 0])
    np.testing.assert_allclose(maps, stretched((mixed @ mixed)[0, 1:]), atol=1e-5)


def test_what_reaches_alike_from_everywhere_is_on_no_map() -> None:
    maps = attention_rollout(transformer(), np.zeros_like(IMAGE))
    assert maps is not None
    assert not maps.any()


def test_each_image_has_its_own_map_also_in_several_batches() -> None:
    images = np.zeros((70, 2, 2, 3), np.uint8)
    places = [(i % 2, i // 2 % 2) for i in range(70)]
    for image, place in zip(images, places, strict=True):
        image[place] = 1
    maps = attention_rollout(transformer(), images)
    assert maps is not None
    assert [np.unravel_index(each.argmax(), (2, 2)) for each in maps] == places


def test_the_model_predicts_as_before_and_keeps_no_recording() -> None:
    model = transformer(layers=2, heads=2)
    before = np.asarray(model.predict(IMAGE, verbose=0))
    assert [each.shape for each in attention_scores(model, IMAGE)] == [(1, 2, 4, 4)] * 2
    np.testing.assert_array_equal(np.asarray(model.predict(IMAGE, verbose=0)), before)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


def test_attention_in_a_model_within_the_model_counts() -> None:
    import keras

    inputs = keras.Input((2, 2, 3))
    outer = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(transformer(layers=2)(inputs)))
    assert len(attention_scores(outer, IMAGE)) == 2


def test_a_vit_of_the_search_space_has_maps_of_its_patches() -> None:
    import keras_tuner as kt

    from search_spaces import DataSpec, vit

    hp = kt.HyperParameters()
    for name, value in (vit.PRESETS["vit_lite_6"] | {"width": 64, "depth": 2}).items():
        hp.Fixed(name, value)
    model = vit.build(hp, DataSpec((32, 32, 3), 2))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    found = heatmaps(model, images, np.zeros(3, np.int64))
    assert found is not None
    maps = found.maps
    assert (maps.shape, found.method) == ((3, 8, 8), ATTENTION_ROLLOUT)
    assert (maps.min(axis=(1, 2)).tolist(), maps.max(axis=(1, 2)).tolist()) == ([0] * 3, [1] * 3)


def test_a_model_without_attention_has_maps_of_gradients() -> None:
    import keras
    from keras import layers

    inputs = keras.Input((4, 4, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 1)(inputs))
    maps = heatmaps(keras.Model(inputs, layers.Dense(2)(x)), np.zeros((1, 4, 4, 3)), np.array([0]))
    assert maps is not None
    assert maps.method == GRAD_CAM


def test_attention_that_is_not_between_all_patches_has_no_map() -> None:
    import keras
    from keras import layers

    inputs = keras.Input((4, 4, 3))
    images, classes = np.zeros((1, 4, 4, 3)), np.array([0])
    tokens = layers.Reshape((16, 3))(inputs)
    pooled = layers.MultiHeadAttention(1, 2)(layers.AveragePooling1D(4)(tokens), tokens)
    odd = layers.Reshape((12, 4))(inputs)  # no grid of squares
    for attended in (pooled, layers.MultiHeadAttention(1, 2)(odd, odd)):
        model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(attended)))
        assert heatmaps(model, images, classes) is None
