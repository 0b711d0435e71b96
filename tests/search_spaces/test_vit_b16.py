"""The space `vit_b16`: KerasHub's network under the head of `transfer`; most of it needs the extra `hub`."""

import sys

import keras
import keras_tuner as kt
import numpy as np
import pytest

from search_spaces import DataSpec, transfer
from search_spaces.vit_b16 import ARCHITECTURE, HUB_PRESET, build, training

SMALL = {"image_shape": (32, 32, 3), "num_layers": 4, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
SPEC = DataSpec((8, 8, 3), 2)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("float32")


def keras_hub():
    return pytest.importorskip("keras_hub", reason="needs the extra 'hub' (KerasHub)")


@pytest.fixture
def small(monkeypatch):
    """The same network with fewer and narrower blocks."""
    keras_hub()
    for name, value in SMALL.items():
        monkeypatch.setitem(ARCHITECTURE, name, value)
    return SMALL


def space_of(**values):
    hp = kt.HyperParameters()
    hp.values.update({"weights": "none", **values})
    return hp, build(hp, SPEC)


def network_of(model):
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


@pytest.fixture
def weights_file(small, tmp_path):
    path = tmp_path / f"{small['num_layers']}_blocks.weights.h5"
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
def test_it_is_searched_for_what_a_transformer_has():
    hp, _ = space_of()
    assert [parameter.name for parameter in hp.space] == [
        "weights",
        "fine_tune",
        "head",
        "dropout",
        "optimizer",
        "learning_rate",
    ]


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
    parameters = keras_hub().models.ViTBackbone.presets[HUB_PRESET]["metadata"]["params"]
    assert network_of(space_of()[1]).count_params() == parameters == 85_798_656


def test_a_preset_that_cannot_be_fetched_is_explained_in_one_line(monkeypatch):
    def refuse(*_):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(keras_hub().models.ViTBackbone, "from_preset", refuse)
    with pytest.raises(ValueError, match="weights for vit_b16: no route to host") as caught:
        space_of(weights="imagenet")
    assert "kaggle.com/models/keras/vit/keras/vit_base_patch16_224_imagenet" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ValueError, match=r'pip install "kt-search\[hub\]"') as caught:
        space_of()
    assert "KerasHub" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_training_is_that_of_transfer():
    ours, theirs = kt.HyperParameters(), kt.HyperParameters()
    for hp, declare in ((ours, training), (theirs, transfer.training)):
        hp.Choice("optimizer", ["adam", "adamw", "sgd"])
        declare(hp)
    assert ours.get_config() == theirs.get_config()
