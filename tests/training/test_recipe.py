"""What a recipe does to a trial: labels, weights, decay, schedule, augmentation."""

from dataclasses import asdict

import keras
import numpy as np
import pytest

from tests.training.models import Hypermodel, epochs_of, failure_of, run, small, state
from tuner.training.augmentation import NUM_DRAWS
from tuner.training.batches import TrainingBatches
from tuner.training.loop import KerasLoop, make_loop
from tuner.training.optimization import apply_recipe, class_weights
from tuner.training.recipe import TRAINING_NAMES, Recipe, check_value, make_recipe

pytestmark = pytest.mark.training

KINDS = [make_loop, KerasLoop]


def sgd():
    keras.utils.set_random_seed(0)
    return small(keras.optimizers.SGD(0.1))


def test_values_make_a_recipe_and_others_are_left_out():
    assert make_recipe({"blur": 0.5, "batch_size": 32, "filters": 7}) == Recipe(blur=0.5)


def test_every_hyperparameter_of_the_training_says_what_it_may_be():
    for name in TRAINING_NAMES:
        with pytest.raises(ValueError, match=f"^'{name}' may be "):
            check_value(name, "much")


def test_what_a_recipe_is_by_default_is_allowed():
    for name, value in asdict(Recipe(weight_decay=0.0)).items():
        check_value(name, value)


@pytest.mark.parametrize("kind", KINDS)
def test_training_sees_augmented_images(kind, dataset):
    model = sgd()
    weights = model.get_weights()
    loops = [
        kind(model, dataset.images, dataset.labels, batches=batches)
        for batches in (TrainingBatches(), TrainingBatches(Recipe(horizontal_flip=True)))
    ]

    def trained(loop, draws=None):
        model.set_weights(weights)
        loop.train_epoch(dataset.splits["train"], 16, lambda *_: None, draws)
        return np.asarray(model.get_weights()[0])

    count = len(dataset.splits["train"])
    never, always = (np.full((count, NUM_DRAWS), value, np.float32) for value in (0.9, 0.1))
    plain = trained(loops[0])
    np.testing.assert_allclose(trained(loops[1], never), plain, rtol=1e-5)
    assert np.abs(trained(loops[1], always) - plain).max() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_and_prediction_never_see_augmented_images(kind, dataset):
    model = small()
    blurred = kind(model, dataset.images, dataset.labels, batches=TrainingBatches(Recipe(blur=1.0)))
    plain = kind(model, dataset.images, dataset.labels)
    indices = dataset.splits["validation"]
    assert blurred.evaluate(indices) == pytest.approx(plain.evaluate(indices))
    np.testing.assert_allclose(blurred.predict(indices), plain.predict(indices), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_weighted_classes_pull_as_hard_as_their_weights(kind, dataset):
    """A class of weight zero is as if it were not there: its images change nothing."""
    only_first = TrainingBatches(class_weights=np.array([1, 0], np.float32))
    model = sgd()
    loop = kind(model, dataset.images, dataset.labels, batches=only_first)
    first, second = (
        dataset.splits["train"][dataset.labels[dataset.splits["train"]] == label] for label in (0, 1)
    )
    before = [np.asarray(weight) for weight in model.get_weights()]
    loop.train_epoch(second, 16, lambda *_: None)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    loop.train_epoch(first, 16, lambda *_: None)
    assert (model.get_weights()[-1] != before[-1]).any()


def test_class_weights_let_all_classes_count_alike():
    labels = np.array([0] * 6 + [1] * 2)
    weights = class_weights(labels, 2)
    np.testing.assert_allclose(weights, [8 / 12, 8 / 4])
    assert weights[labels].mean() == pytest.approx(1)


@pytest.mark.parametrize("outputs", [1, 3])
def test_smoothed_labels_are_those_of_the_textbook(outputs):
    """In training the loss is the cross-entropy against smoothed labels; in evaluation the plain one."""
    num_classes = max(2, outputs)
    model = small(outputs=outputs)
    apply_recipe(model, Recipe(label_smoothing=0.2), num_classes, steps=1)
    labels = np.arange(12) % num_classes
    outputs_of = model(np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3)))
    probabilities = np.asarray(outputs_of, np.float64)
    if outputs == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    smooth = np.eye(num_classes)[labels] * 0.8 + 0.2 / num_classes
    expected = -(smooth * np.log(probabilities)).sum(axis=1).mean()
    plain = -np.log(probabilities[np.arange(12), labels]).mean()
    got = model.compute_loss(y=labels, y_pred=outputs_of, training=True)
    assert float(got) == pytest.approx(expected, rel=1e-4)
    assert float(model.compute_loss(y=labels, y_pred=outputs_of, training=False)) == pytest.approx(
        plain, rel=1e-4
    )


def test_a_cosine_rises_then_falls_to_zero():
    model = small(keras.optimizers.SGD(0.5))
    apply_recipe(model, Recipe(schedule="cosine"), 2, steps=100)
    rates = []
    for step in range(101):
        model.optimizer.iterations.assign(step)
        rates.append(float(model.optimizer.learning_rate))
    assert max(rates) == pytest.approx(0.5)
    assert 0 < rates[0] < rates.index(max(rates)) <= 5
    assert rates[50] == pytest.approx(0.5 * 0.5 * (1 + np.cos(np.pi * 45 / 95)), rel=1e-3)
    assert rates[100] == pytest.approx(0, abs=1e-6)


def test_a_schedule_over_a_schedule_is_refused(dataset, tmp_path):
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    error = failure_of(
        lambda _: small(keras.optimizers.SGD(schedule)), dataset, tmp_path, recipe=Recipe(schedule="cosine")
    )
    assert error.reason == "build"
    assert "has its own schedule" in str(error)


def test_weights_decay_but_biases_do_not():
    model = small(keras.optimizers.SGD(1.0))
    apply_recipe(model, Recipe(weight_decay=0.1), 2, steps=1)
    before = {variable.path: np.asarray(variable) for variable in model.trainable_variables}
    model.layers[-1].bias.assign([1.0])
    zero = [keras.ops.zeros(variable.shape) for variable in model.trainable_variables]
    model.optimizer.apply(zero, model.trainable_variables)
    for variable in model.trainable_variables:
        if variable.name == "bias":
            expected = 1.0 if variable is model.layers[-1].bias else before[variable.path]
        else:
            expected = 0.9 * before[variable.path]
        np.testing.assert_allclose(np.asarray(variable), expected, rtol=1e-5)


def test_a_layers_name_spares_no_weight_from_decay():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="debiased_gamma")(inputs))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    apply_recipe(model, Recipe(weight_decay=0.1), 2, steps=1)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].bias.assign(bias + 1)
    model.optimizer.apply(
        [keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables
    )
    np.testing.assert_allclose(model.layers[-1].kernel, 0.9 * kernel, rtol=1e-5)
    np.testing.assert_array_equal(model.layers[-1].bias, [1.0])


def test_no_weight_decay_leaves_the_optimizer_its_own():
    model = small(keras.optimizers.AdamW(weight_decay=0.3))
    apply_recipe(model, Recipe(), 2, steps=1)
    assert model.optimizer.weight_decay == 0.3


EVERYTHING = Recipe(True, True, 0.2, 50, 1.0, 0.1, "auto", 0.01, "cosine")


def test_a_trial_with_everything_comes_out_the_same_when_it_is_interrupted(dataset, tmp_path):
    facts = {"recipe": EVERYTHING, "passes": 3.0}
    run(tmp_path / "whole", lambda _: small(dropout=0.2), dataset, epochs=3, **facts)
    for epochs in (1, 3):
        run(tmp_path / "parts", lambda _: small(dropout=0.2), dataset, epochs=epochs, **facts)
    whole, parts = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name in whole.keys() - {"history"}:
        np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)


def test_a_schedule_ends_with_the_passes_of_the_task(dataset, tmp_path):
    """Nothing is left to learn after them: the last epoch of too few passes changes no weight."""
    facts = {"recipe": Recipe(schedule="cosine"), "passes": 1.0}
    run(tmp_path, lambda _: small(keras.optimizers.SGD(0.1)), dataset, epochs=1, **facts)
    before = state(tmp_path)
    _, events = run(tmp_path, lambda _: small(keras.optimizers.SGD(0.1)), dataset, epochs=2, **facts)
    assert epochs_of(events)
    after = state(tmp_path)
    weights = [name for name in before if before[name].ndim >= 2]
    assert weights
    for name in weights:
        np.testing.assert_array_equal(after[name], before[name])


def test_a_schedule_reaches_its_end_with_the_last_step_and_not_before(dataset, tmp_path):
    """Every epoch ends in a smaller batch, which is a step as any other."""
    images = len(dataset.splits["train"])
    build = Hypermodel(lambda _: small(keras.optimizers.SGD(0.1)))
    facts = {"recipe": Recipe(schedule="cosine"), "passes": 10.0, "batch_size": images - 1}
    run(tmp_path, build, dataset, epochs=10, **facts)
    optimizer = build.built[0].optimizer
    assert int(optimizer.iterations) == 20
    assert float(optimizer.learning_rate) == pytest.approx(0, abs=1e-6)
    optimizer.iterations.assign(19)
    assert float(optimizer.learning_rate) > 1e-4
