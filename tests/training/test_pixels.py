"""Models that expect scaled pixels, trained on raw ones."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.conftest import SIDE
from tests.training.loops import order_of
from tests.training.models import ACCURACY, Hypermodel, epochs_of, run
from tuner.training.augmentation import draw
from tuner.training.batches import TrainingBatches
from tuner.training.build import probabilities
from tuner.training.heatmaps import heatmaps
from tuner.training.loop import KerasLoop, make_loop
from tuner.training.moving_statistics import normalizations
from tuner.training.pixels import pixels_of, set_pixels, with_raw_pixels
from tuner.training.recipe import Recipe
from tuner.training.trial import restore_winner

pytestmark = pytest.mark.training

KINDS = [make_loop, KerasLoop]
RANGES = {"0..1": (255, 0), "-1..1": (127.5, -1)}
SHAPE = (SIDE, SIDE, 3)


class Own(keras.Model):  # type: ignore[misc]
    """A graph of layers with a class of its own."""


@keras.saving.register_keras_serializable("tests")
class Written(keras.Model):  # type: ignore[misc]
    """A model without a graph of layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flat, self.last = layers.GlobalAveragePooling2D(), layers.Dense(1, activation="sigmoid")

    def build(self, input_shape):
        self.last.build((None, input_shape[-1]))

    def call(self, inputs):
        return self.last(self.flat(inputs))


def unscaled(form, pixels=None):
    """A model without a layer that scales pixels."""
    keras.utils.set_random_seed(0)
    if form == "written":
        model = Written()
        model.build((None, *SHAPE))
    else:
        parts = [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.Flatten()]
        parts.append(layers.Dense(1, activation="sigmoid"))
        model = keras.Sequential([keras.Input(SHAPE), *parts])
        if form == "graph":
            model = Own(model.inputs[0], model.outputs[0])
    model.compile(keras.optimizers.Adam(0.03), "binary_crossentropy", metrics=["accuracy"])
    if pixels:
        set_pixels(model, pixels)
    return model


FORMS = pytest.mark.parametrize("form", ["sequential", "graph", "written"])


@pytest.mark.parametrize("pixels", RANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_training_and_evaluation_are_those_of_keras_on_scaled_pixels(kind, pixels, dataset):
    divisor, offset = RANGES[pixels]
    images = (dataset.images / divisor + offset).astype(np.float32)
    labels = dataset.labels.astype(np.float32)[:, None]
    order, part = order_of(dataset), dataset.splits["validation"]
    plain, ours = unscaled("sequential"), unscaled("sequential", pixels)
    kept = plain.fit(images[order], labels[order], batch_size=16, shuffle=False, verbose=0)
    loop = kind(ours, dataset.images, dataset.labels)
    logs = loop.train_epoch(order, 16, lambda *_: None)
    assert logs == pytest.approx({name: values[0] for name, values in kept.history.items()}, rel=1e-3)
    wanted = plain.evaluate(images[part], labels[part], verbose=0, return_dict=True)
    assert loop.evaluate(part) == pytest.approx(wanted, rel=1e-3)
    np.testing.assert_allclose(loop.predict(part), plain.predict(images[part], verbose=0), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_moving_statistics_are_those_of_scaled_pixels(kind, dataset):
    means = []
    for model in (unscaled("sequential", "0..1"), with_raw_pixels(unscaled("sequential", "0..1"), SHAPE)):
        kind(model, dataset.images, dataset.labels).renew_statistics(np.arange(20).reshape(2, 10))
        (normalization,) = normalizations(model)
        means.append(keras.ops.convert_to_numpy(normalization.moving_mean))
    assert np.ptp(means[0]) > 0
    np.testing.assert_allclose(means[0], means[1], rtol=1e-3, atol=1e-5)


def test_augmented_images_are_scaled_too(dataset):
    recipe, order = Recipe(horizontal_flip=True, blur=1.0), order_of(dataset)
    draws = draw(recipe, len(order), 0, 1)
    losses = []
    for model in (unscaled("graph", "0..1"), with_raw_pixels(unscaled("graph", "0..1"), SHAPE)):
        loop = make_loop(model, dataset.images, dataset.labels, batches=TrainingBatches(recipe))
        losses.append(loop.train_epoch(order, 16, lambda *_: None, draws)["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@FORMS
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")  # it has no state yet
@pytest.mark.parametrize("pixels", RANGES)
def test_the_model_that_is_given_back_takes_raw_pixels(pixels, form, dataset, tmp_path):
    model = unscaled(form, pixels)
    part = dataset.splits["test"]
    wanted = make_loop(model, dataset.images, dataset.labels).predict(part)
    made = with_raw_pixels(model, SHAPE)
    assert pixels_of(made) == "0..255"
    made.save(tmp_path / "model.keras")
    for found in (made, keras.models.load_model(tmp_path / "model.keras")):
        outputs = found.predict(dataset.images[part], verbose=0)
        np.testing.assert_allclose(outputs, wanted, rtol=1e-4, atol=1e-6)
    assert made.count_params() == model.count_params()


def test_its_heatmaps_find_the_layers(dataset):
    made = with_raw_pixels(unscaled("graph", "0..1"), SHAPE)
    heat = heatmaps(made, dataset.images[:4], np.zeros(4, np.int32))
    assert heat is not None
    assert heat.maps.shape == (4, SIDE - 2, SIDE - 2)


@FORMS
def test_a_trial_learns_and_its_winner_predicts_the_same(form, dataset, tmp_path):
    def build(_):
        return unscaled(form, "0..1")

    _, events = run(tmp_path, build, dataset, epochs=5, objective=ACCURACY)
    figures = [done.epoch.metrics["val_accuracy"] for done in epochs_of(events)]
    winner = restore_winner(Hypermodel(build), {}, tmp_path, dataset)
    part = dataset.splits["validation"]
    outputs = winner.predict(dataset.images[part], verbose=0)
    right = np.mean(probabilities(winner, outputs).argmax(axis=1) == dataset.labels[part])
    assert right == pytest.approx(max(figures))
    assert right > 0.8


def test_a_fit_of_the_users_own_gets_scaled_images(dataset, tmp_path):
    given = []

    def fit(_, model, x, y, **settings):
        given.extend([x, settings["validation_data"][0]])
        return model.fit(x, y, **settings)

    hypermodel = Hypermodel(lambda _: unscaled("sequential", "0..1"))
    hypermodel.own_fit = fit
    run(tmp_path, hypermodel, dataset, objective=ACCURACY)
    whole = np.concatenate(given)
    both = np.concatenate([dataset.splits["train"], dataset.splits["validation"]])
    expected = dataset.images[both] / 255
    assert (whole.dtype, whole.shape) == (np.float32, expected.shape)
    np.testing.assert_allclose(np.sort(whole.ravel()), np.sort(expected.ravel()), rtol=1e-5)
