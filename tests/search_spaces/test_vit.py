"""The space `vit`: patches that fit the image, regularisation that grows with depth, stock layers only."""

import keras
import keras_tuner as kt
import numpy as np
import pytest
from keras import layers

from search_spaces import DataSpec
from search_spaces.vit import PRESETS, build, patch_sizes, patchable, training

SPEC = DataSpec((8, 8, 3), 3)
CIFAKE = DataSpec((32, 32, 3), 2)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("float32")


def model_with(spec=SPEC, **values):
    hp = kt.HyperParameters()
    hp.values.update(values)
    return build(hp, spec)


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("sides", "sizes"), [((8, 8), [1, 2, 4]), ((32, 32), [4, 8, 2]), ((224, 224), [28, 32, 16])]
)
def test_patch_sizes_are_the_divisors_nearest_to_64_patches(sides, sizes):
    assert sorted(patch_sizes(*sides)) == sorted(sizes)
    assert patch_sizes(*sides)[0] == sizes[0]


@pytest.mark.parametrize(("sides", "expected"), [((178, 218), (192, 224)), ((97, 97), (96, 96))])
def test_an_image_that_no_patch_size_fits_is_resized(sides, expected):
    assert patchable(*sides) == expected


@pytest.mark.parametrize("side", [1, 3, 31, 50, 299])
def test_images_of_any_size_are_taken(side):
    shape = (side, side, 1)
    assert model_with(DataSpec(shape, 2), depth=2)(np.zeros((1, *shape), "float32")).shape == (1, 1)


def test_the_number_of_patches_follows_from_the_patch_size():
    (embedding,) = layers_of(model_with(CIFAKE, patch_size=8), layers.EinsumDense)
    assert embedding.output.shape == (None, 16, 128)


def test_equal_patches_differ_by_their_position():
    model = model_with()
    (embedding,) = layers_of(model, layers.EinsumDense)
    tokens = np.asarray(keras.Model(model.input, embedding.output)(np.full((1, 8, 8, 3), 7.0)))
    assert len(np.unique(tokens[0], axis=0)) == 64


def test_a_patch_is_a_square_of_the_image():
    model = model_with(patch_size=4)
    (embedding,) = layers_of(model, layers.EinsumDense)
    patches = keras.Model(model.input, embedding.input)
    image = np.zeros((1, 8, 8, 3), "float32")
    image[:, :4, 4:] = 255.0
    assert [float(np.mean(patch)) for patch in np.asarray(patches(image))[0]] == [-1.0, 1.0, -1.0, -1.0]


def test_depth_is_the_number_of_attention_layers():
    assert len(layers_of(model_with(depth=6), layers.MultiHeadAttention)) == 6


def test_stochastic_depth_grows_from_nothing_to_its_value():
    model = model_with(depth=4, stochastic_depth=0.2)
    rates = [layer.rate for layer in layers_of(model, layers.Dropout) if layer.noise_shape]
    assert rates[::2] == rates[1::2] == pytest.approx([0, 0.2 / 3, 0.4 / 3, 0.2])


def test_stochastic_depth_leaves_out_whole_images():
    model = model_with(stochastic_depth=0.2)
    drop = [layer for layer in layers_of(model, layers.Dropout) if layer.noise_shape][-1]
    kept = np.asarray(drop(np.ones((200, 64, 128), "float32"), training=True))
    assert {len(np.unique(image)) for image in kept} == {1}
    assert {round(float(value), 3) for value in np.unique(kept)} == {0.0, 1.25}


def test_the_default_model_has_less_than_a_million_parameters():
    assert 500_000 < model_with(CIFAKE).count_params() < 1_000_000


def test_the_preset_has_the_published_number_of_parameters():
    assert model_with(CIFAKE, **PRESETS["vit_lite_6"]).count_params() == pytest.approx(3.2e6, rel=0.02)


def test_a_saved_model_loads_in_plain_keras_and_gives_the_same(tmp_path):
    model = model_with()
    model.optimizer.build(model.trainable_variables)  # as training would
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(IMAGES), model(IMAGES), rtol=1e-5)


def test_training_is_declared_with_weight_decay_and_smooth_labels():
    hp = kt.HyperParameters()
    training(hp)
    assert hp.get("weight_decay") == 5e-2
    assert hp.get("label_smoothing") == 0.1
