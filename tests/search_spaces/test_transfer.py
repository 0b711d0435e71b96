"""The space `transfer`: what a backbone sees, what of it trains, and where its weights come from."""

import h5py
import keras
import keras_tuner as kt
import numpy as np
import pytest
from keras import layers
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from search_spaces import DataSpec, transfer
from search_spaces._backbones import APPLICATIONS, make_application, preprocess
from search_spaces.transfer import PRESETS, build, training
from tuner.spaces import sample_models
from tuner.spaces.checks import LOST_ACCURACY
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.spaces.sample_models import accuracies_after_training

SPEC = DataSpec((8, 8, 3), 2)
CIFAKE = DataSpec((32, 32, 3), 2)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("float32")


def space_of(spec=SPEC, **values):
    hp = kt.HyperParameters()
    hp.values.update({"weights": "none", "backbone": "mobilenetv2", "alpha": 0.35, **values})
    return hp, build(hp, spec)


def model_with(spec=SPEC, **values):
    return space_of(spec, **values)[1]


def network_of(model):
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def head_of(model):
    """The layers behind the backbone, by name and what distinguishes them."""
    behind = model.layers[model.layers.index(network_of(model)) + 1 :]
    return [(type(layer).__name__, getattr(layer, "units", getattr(layer, "rate", None))) for layer in behind]


def trained_batch_norms(model):
    return [
        layer
        for layer in network_of(model).layers
        if isinstance(layer, layers.BatchNormalization)
        if layer.trainable
    ]


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """Weights of MobileNetV2 at alpha 0.35 without its top, made for another size of image."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    keras.utils.set_random_seed(1)
    network = keras.applications.MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=None)
    network.save_weights(path)
    return str(path)


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """An empty cache, and a network that fails as it does without a connection."""

    def refuse(*_):
        raise file_utils.urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    monkeypatch.setattr(file_utils, "urlretrieve", refuse)
    return tmp_path


@pytest.mark.parametrize("name", APPLICATIONS)
def test_pixels_are_prepared_as_keras_applications_does_and_can_be_saved(name, tmp_path):
    module = {
        "mobilenetv2": keras.applications.mobilenet_v2,
        "resnet50": keras.applications.resnet50,
        "resnet50v2": keras.applications.resnet_v2,
        "densenet121": keras.applications.densenet,
        "efficientnetv2b0": keras.applications.efficientnet_v2,
        "xception": keras.applications.xception,
    }[name]
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, preprocess(inputs, APPLICATIONS[name].pixels))
    prepared = model(IMAGES)
    np.testing.assert_allclose(prepared, module.preprocess_input(IMAGES.copy()), atol=1e-4)
    model.save(tmp_path / "pixels.keras")
    loaded = keras.models.load_model(tmp_path / "pixels.keras")
    np.testing.assert_array_equal(loaded(IMAGES), prepared)


@pytest.mark.parametrize(
    ("spec", "values", "sides"),
    [
        (SPEC, {}, (32, 32)),
        (SPEC, {"upscale": 3}, (96, 96)),
        (SPEC, {"backbone": "xception"}, (71, 71)),
        (DataSpec((8, 16, 3), 2), {}, (32, 64)),
        (CIFAKE, {}, (32, 32)),
        (CIFAKE, {"upscale": 2}, (64, 64)),
    ],
)
def test_the_backbone_sees_images_of_the_size_asked_for_and_of_its_least_size(spec, values, sides):
    assert network_of(model_with(spec, **values)).input_shape == (None, *sides, 3)


def test_images_of_the_right_size_are_not_resized():
    assert not any(isinstance(layer, layers.Resizing) for layer in model_with(CIFAKE).layers)


def test_large_images_are_not_made_larger():
    hp, _ = space_of(DataSpec((160, 160, 3), 2))
    assert next(parameter for parameter in hp.space if parameter.name == "upscale").values == [1]


def test_grey_images_are_seen_as_red_green_and_blue():
    assert model_with(DataSpec((8, 8, 1), 2))(IMAGES[..., :1]).shape == (4, 1)


def test_images_of_four_channels_are_refused():
    with pytest.raises(ValueError, match="4 channels"):
        model_with(DataSpec((8, 8, 4), 2))


def test_the_published_head_can_be_had():
    assert head_of(model_with(pooling="flatten", head="dense", dropout=0.5)) == [
        ("Flatten", None),
        ("Dense", 256),
        ("BatchNormalization", None),
        ("Dense", 128),
        ("Dropout", 0.5),
        ("Dense", 1),
    ]


def test_the_least_head_is_a_mean_and_the_output():
    expected = [("GlobalAveragePooling2D", None), ("Dropout", 0.2), ("Dense", 1)]
    assert head_of(model_with(pooling="average", head="linear", dropout=0.2)) == expected


def test_the_preset_is_resnet50_at_the_size_of_cifake():
    hp, model = space_of(CIFAKE, **PRESETS["resnet50_head"])
    assert network_of(model).input_shape == (None, 32, 32, 3)
    assert hp.get("backbone") == "resnet50"
    assert head_of(model)[0] == ("Flatten", None)


def test_without_weights_everything_trains():
    hp, model = space_of()
    assert len(trained_batch_norms(model)) == 52
    assert "fine_tune" not in hp


@pytest.mark.training
def test_without_weights_a_short_training_is_as_good_in_inference(monkeypatch):
    """Its statistics are averages over thousands of steps, for the length of a training on ImageNet."""
    # What is trained may not be the network that all others share.
    monkeypatch.setattr(transfer, "make_application", make_application)
    # Long enough to learn the task with the rounding of any processor.
    monkeypatch.setattr(sample_models, "TRAINED_EPOCHS", 3 * sample_models.TRAINED_EPOCHS)
    hypermodel = SpaceHyperModel("transfer", SPEC, ("backbone=mobilenetv2", "alpha=0.35"))
    in_training, in_inference = accuracies_after_training(hypermodel)
    assert in_training > 0.9
    assert in_inference >= in_training - LOST_ACCURACY


def test_weights_of_a_file_are_loaded_whatever_the_size_of_image(weights_file):
    hp, model = space_of(weights=weights_file)
    keras.utils.set_random_seed(1)
    expected = keras.applications.MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None)
    for loaded, value in zip(network_of(model).weights, expected.weights, strict=True):
        np.testing.assert_array_equal(loaded, value)
    assert "fine_tune" in hp


def test_with_no_fine_tuning_only_the_head_trains(weights_file):
    model = model_with(weights=weights_file, fine_tune=0.0)
    assert network_of(model).trainable_variables == []
    assert len(model.trainable_variables) == 2


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_fine_tuning_trains_a_share_of_the_layers_from_the_top_but_no_batch_norm(weights_file, share):
    model = model_with(weights=weights_file, fine_tune=share)
    weighted = [layer for layer in network_of(model).layers if layer.weights]
    top = weighted[len(weighted) - round(share * len(weighted)) :]
    trained = [layer for layer in weighted if layer.trainable]
    assert trained == [layer for layer in top if not isinstance(layer, layers.BatchNormalization)]
    assert trained


def test_training_leaves_the_statistics_of_batch_norm_as_they_are(weights_file):
    model = model_with(weights=weights_file, fine_tune=1.0)
    before = [keras.ops.convert_to_numpy(value) for value in network_of(model).non_trainable_variables]
    model(IMAGES, training=True)
    for value, old in zip(network_of(model).non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_a_saved_model_loads_in_plain_keras_and_gives_the_same(tmp_path):
    model = model_with()
    model.optimizer.build(model.trainable_variables)  # as training would
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(IMAGES), model(IMAGES), rtol=1e-5)


def test_weights_of_another_network_are_refused_in_one_line(weights_file):
    with pytest.raises(ValueError, match=r"mobilenetv2 with alpha=1\.0") as caught:
        model_with(weights=weights_file, alpha=1.0)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'nowhere\.weights\.h5'"):
        model_with(weights="nowhere.weights.h5")


def test_a_file_that_is_no_weights_file_cannot_be_read(tmp_path):
    path = tmp_path / "broken.weights.h5"
    path.write_text("no HDF5")
    with pytest.raises(ValueError, match=r"broken\.weights\.h5' cannot be read"):
        model_with(weights=str(path))


def test_without_network_the_error_says_which_file_to_put_where(no_network):
    with pytest.raises(ValueError, match="ImageNet weights for resnet50") as caught:
        model_with(weights="imagenet", backbone="resnet50")
    file = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    text = str(caught.value)
    assert f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{file} " in text
    assert f"put it at {no_network / 'models' / file}, or" in text
    assert "weights=none" in text
    assert "\n" not in text


@pytest.mark.usefixtures("no_network")
def test_a_file_put_where_the_error_says_is_found():
    with pytest.raises(ValueError, match="no ImageNet weights") as caught:
        model_with(weights="imagenet")
    target = str(caught.value).split("put it at ")[1].split(", or")[0]
    network = keras.applications.MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=None)
    with h5py.File(target, "w") as file:  # the format of the files of keras.applications
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    assert model_with(weights="imagenet")(IMAGES).shape == (4, 1)


def test_training_is_declared_for_few_epochs_in_small_batches():
    hp = kt.HyperParameters()
    hp.Choice("optimizer", ["adam", "adamw", "sgd"])
    training(hp)
    assert (hp.get("batch_size"), hp.get("patience")) == (32, 3)
