"""A note names the layer that gets raw pixels, in models of each form."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.spaces.conftest import wrong
from tuner.spaces.notes import notes_on
from tuner.spaces.pixel_range import layer_of_raw_pixels
from tuner.training.pixels import scaled, set_pixels

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
pytestmark = pytest.mark.training


class Nested(keras.Model):  # type: ignore[misc]
    """A model with layers inside of a layer."""

    def __init__(self, *first):
        super().__init__()
        self.first = keras.Sequential([*first, layers.Conv2D(4, 3, name="inner")])
        self.last = layers.Dense(1, "sigmoid")

    def call(self, images):
        return self.last(layers.Flatten()(self.first(images)))


def functional(*first):
    inputs = x = keras.Input((8, 8, 3))
    for layer in (*first, layers.Conv2D(4, 3, name="inner"), layers.Flatten(), layers.Dense(1, "sigmoid")):
        x = layer(x)
    return keras.Model(inputs, x)


def sequential(*first):
    return keras.Sequential(
        [*first, layers.Conv2D(4, 3, name="inner"), layers.Flatten(), layers.Dense(1, "sigmoid")]
    )


@pytest.fixture(params=[functional, sequential, Nested])
def make(request):
    def compiled(*first):
        model = request.param(*first)
        model(IMAGES)
        model.compile("sgd", "binary_crossentropy")
        return model

    return compiled


def test_the_layer_that_gets_raw_pixels_is_named(make):
    assert layer_of_raw_pixels(make(), IMAGES) == "inner"
    assert layer_of_raw_pixels(make(layers.RandomFlip(), layers.ReLU()), IMAGES) == "inner"


@pytest.mark.parametrize(
    "first",
    [
        lambda: layers.Rescaling(1 / 255),
        lambda: layers.Rescaling(1 / 127.5, offset=-1),
        layers.BatchNormalization,
        lambda: layers.GroupNormalization(1),
        lambda: layers.Lambda(lambda pixels: pixels - 120.0),  # as the models of Caffe want them
    ],
)
def test_pixels_that_a_model_scales_are_not(make, first):
    assert layer_of_raw_pixels(make(first()), IMAGES) is None


def test_the_model_is_left_as_it_was(make):
    model = make()
    before = model(IMAGES)
    layer_of_raw_pixels(model, IMAGES)
    assert all("call" not in vars(layer) for layer in model._flatten_layers())
    assert np.array_equal(model(IMAGES), before)


def test_a_note_says_it_before_a_search(make):
    [note] = [each for each in notes_on(make(), IMAGES) if "raw pixels" in each]
    assert "'inner'" in note
    assert "Rescaling(1 / 255)" in note
    assert "--pixels 0..1" in note


@pytest.mark.parametrize("pixels", ["0..1", "-1..1"])
def test_pixels_that_are_scaled_before_a_model_that_scales_them_are_named(make, pixels):
    images = np.asarray(scaled(IMAGES, pixels))
    for first in (layers.Rescaling(1 / 255), layers.Rescaling(1 / 127.5, offset=-1)):
        model = make(first)
        set_pixels(model, pixels)
        assert len([each for each in notes_on(model, images) if f"--pixels {pixels}" in each]) == 1
    plain = make()
    set_pixels(plain, pixels)
    assert not [each for each in notes_on(plain, images) if "pixels" in each]


def test_check_finds_it_where_no_output_shows_it(findings):
    source = """
def build(hp):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(hp.Int("filters", 2, 4), 3, name="raw"),
                              layers.GlobalAveragePooling2D(), layers.Dense(1, "sigmoid",
                              kernel_initializer="zeros")])
    model.compile("sgd", loss="binary_crossentropy")
    return model
"""
    results = findings(source)
    assert "'raw'" in wrong(results)["pixels are scaled inside"]
