"""ViT-B/16 of KerasHub as a backbone of `transfer`; needs the extra `hub`."""

import importlib.util

import keras
import keras_tuner as kt
import numpy as np
import pytest

from search_spaces import DataSpec, _backbones
from search_spaces.transfer import build

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("keras_hub") is None, reason="needs the extra 'hub' (KerasHub)"
)

SMALL = {"image_shape": (32, 32, 3), "num_layers": 4, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
SPEC = DataSpec((8, 8, 3), 2)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("float32")


@pytest.fixture
def small(monkeypatch):
    """The same network with fewer and narrower blocks."""
    for name, value in SMALL.items():
        monkeypatch.setitem(_backbones.VIT_B16, name, value)
    return SMALL


def space_of(**values):
    hp = kt.HyperParameters()
    hp.values.update({"weights": "none", "backbone": "vit_b16", **values})
    return hp, build(hp, SPEC)


def network_of(model):
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


@pytest.fixture
def weights_file(small, tmp_path):
    path = tmp_path / f"vit_{small['hidden_dim']}.weights.h5"
    network_of(space_of()[1]).save_weights(path)
    return str(path)


@pytest.mark.usefixtures("small")
def test_raw_images_of_any_size_give_probabilities():
    outputs = np.asarray(space_of()[1](IMAGES))
    assert outputs.shape == (4, 1)
    assert np.ptp(outputs) > 0


@pytest.mark.usefixtures("small")
def test_the_class_token_alone_goes_to_the_head():
    _, model = space_of(head="linear")
    assert network_of(model).output.shape == (None, 5, 16)
    assert model.layers[-1].input.shape == (None, 16)


@pytest.mark.usefixtures("small")
def test_what_is_for_convolutions_is_not_searched():
    hp, _ = space_of()
    assert not {"alpha", "upscale", "pooling"} & hp.values.keys()


def test_weights_of_a_file_are_loaded(weights_file):
    network = network_of(space_of(weights=weights_file)[1])
    again = network_of(space_of(weights=weights_file)[1])
    for loaded, same in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded), keras.ops.convert_to_numpy(same))


def test_fine_tuning_trains_the_upper_blocks(weights_file):
    network = network_of(space_of(weights=weights_file, fine_tune=0.5)[1])
    encoder = network.layers[-1]
    assert [block.trainable for block in encoder.encoder_layers] == [False, False, True, True]
    assert encoder.layer_norm.trainable


def test_with_no_fine_tuning_only_the_head_trains(weights_file):
    _, model = space_of(weights=weights_file, fine_tune=0.0)
    assert network_of(model).trainable_variables == []


@pytest.mark.usefixtures("small")
def test_a_saved_model_loads_and_gives_the_same(tmp_path):
    _, model = space_of()
    model.optimizer.build(model.trainable_variables)  # as training would
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(IMAGES), model(IMAGES), rtol=1e-5)


def test_the_preset_is_one_that_keras_hub_has_of_the_size_it_is_made_with():
    from keras_hub.models import ViTBackbone

    parameters = ViTBackbone.presets[_backbones.VIT_PRESET]["metadata"]["params"]
    assert _backbones.make_vit("none").count_params() == parameters == 85_798_656


def test_a_preset_that_cannot_be_fetched_is_explained_in_one_line(monkeypatch):
    from keras_hub.models import ViTBackbone

    def refuse(*_):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(ViTBackbone, "from_preset", refuse)
    with pytest.raises(ValueError, match="no ImageNet weights for vit_b16: no route to host") as caught:
        space_of(weights="imagenet")
    assert "kaggle.com/models/keras/vit/keras/vit_base_patch16_224_imagenet" in str(caught.value)
    assert "\n" not in str(caught.value)
