"""Labels as losses and metrics expect them, measured against Keras alone."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.conftest import SIDE
from tests.training.loops import order_of
from tuner.training.batches import TrainingBatches
from tuner.training.build import probabilities
from tuner.training.labels import label_encoding
from tuner.training.loop import KerasLoop, make_loop
from tuner.training.optimization import apply_recipe, class_weights
from tuner.training.recipe import Recipe
from tuner.training.task import TrialError

pytestmark = pytest.mark.training

KINDS = [make_loop, KerasLoop]
SHAPE = (SIDE, SIDE, 3)
SAME = 1e-4
"""Relative difference of sums in another order."""


def f1(y_true, y_pred):
    found = ops.round(y_pred)
    hits = ops.sum(y_true * found)
    return 2 * hits / (ops.sum(y_true) + ops.sum(found) + 1e-7)


def focal(y_true, y_pred):
    y_pred = ops.clip(y_pred, 1e-6, 1 - 1e-6)
    right = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    return -ops.mean((1 - right) ** 2 * ops.log(right))


def by_number(y_true, y_pred):
    """A loss of class numbers that writes one-hot labels itself."""
    wanted = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
    return -ops.mean(ops.sum(wanted * ops.log(ops.clip(y_pred, 1e-6, 1.0)), axis=-1))


def model_of(units, loss, metrics=(), last="softmax", optimizer="adam"):
    keras.utils.set_random_seed(0)
    hidden = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(8, activation="relu")]
    model = keras.Sequential([keras.Input(SHAPE), *hidden, layers.Dense(units, activation=last)])
    model.compile(optimizer, loss, metrics=list(metrics))
    return model


def plain_labels(labels, form, units):
    """Labels (n,) as a user of Keras alone prepares them."""
    if form == "one-hot":
        return keras.utils.to_categorical(labels, units)
    return labels.astype("float32")[:, None] if form == "float" else labels


def native(name, **options):
    return lambda: getattr(keras.metrics, name)(name=name.lower(), **options)


CASES = {
    "custom metric": (1, "sigmoid", "binary_crossentropy", ["accuracy", lambda: f1], "float"),
    "custom loss": (1, "sigmoid", focal, ["accuracy"], "float"),
    "metrics of Keras": (
        1,
        "sigmoid",
        keras.losses.BinaryFocalCrossentropy(),
        [native(each) for each in ("BinaryAccuracy", "Precision", "Recall", "AUC")],
        "float",
    ),
    "mse": (1, "sigmoid", "mse", ["mae", lambda: "mse"], "float"),
    "logits": (1, None, keras.losses.BinaryCrossentropy(from_logits=True), ["accuracy"], "float"),
    "categorical": (3, "softmax", "categorical_crossentropy", ["accuracy", lambda: f1], "one-hot"),
    "categorical metrics": (
        3,
        "softmax",
        keras.losses.CategoricalCrossentropy(),
        [native(each) for each in ("CategoricalAccuracy", "Precision", "Recall", "AUC")]
        + [native("F1Score", average="macro")],
        "one-hot",
    ),
    "binary on three": (3, "sigmoid", "binary_crossentropy", ["accuracy"], "one-hot"),
    "mse on three": (3, "softmax", "mse", ["accuracy"], "one-hot"),
    "divergence": (3, "softmax", "kl_divergence", ["acc"], "one-hot"),
    "custom on three": (3, "softmax", focal, ["accuracy"], "one-hot"),
    "sparse": (3, "softmax", "sparse_categorical_crossentropy", ["accuracy"], "class"),
    "sparse logits": (
        3,
        None,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ["accuracy", lambda: "sparse_top_k_categorical_accuracy"],
        "class",
    ),
    "custom of numbers": (3, "softmax", by_number, ["accuracy"], "class"),
}


@pytest.fixture(params=CASES, ids=str)
def case(request, dataset, three_classes):
    """A data set, a function that makes a model, and the form of labels that suits the model."""
    units, last, loss, metrics, form = CASES[request.param]

    def build():
        # Fresh metrics, since those of another model keep their numbers.
        own = [each() if callable(each) else each for each in metrics]
        return model_of(units, loss, own, last, keras.optimizers.SGD(0.1))

    return (dataset if units == 1 else three_classes), build, form


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_those_of_keras_alone(kind, case):
    data, build, form = case
    part = data.splits["validation"]
    plain = build()
    labels = plain_labels(data.labels, form, plain.output_shape[-1])
    # In one batch, since the mean over batches of a metric such as F1 depends on them.
    wanted = plain.evaluate(
        data.images[part], labels[part], batch_size=len(part), verbose=0, return_dict=True
    )
    found = kind(build(), data.images, data.labels).evaluate(part)
    assert found == pytest.approx(wanted, rel=SAME)


# The loop of Keras itself differs by the weights alone.
@pytest.mark.parametrize(("kind", "weighted"), [(make_loop, False), (make_loop, True), (KerasLoop, True)])
def test_training_is_that_of_keras_alone(kind, weighted, case):
    data, build, form = case
    order, units = order_of(data), build().output_shape[-1]
    labels = plain_labels(data.labels, form, units)
    weights = class_weights(data.labels[order], max(2, units)) * np.arange(1, max(2, units) + 1, dtype="f")
    plain, ours = build(), build()
    kept = plain.fit(
        data.images[order],
        labels[order],
        batch_size=16,
        shuffle=False,
        verbose=0,
        sample_weight=weights[data.labels[order]] if weighted else None,
    )
    batches = TrainingBatches(class_weights=weights if weighted else None)
    logs = kind(ours, data.images, data.labels, batches=batches).train_epoch(order, 16, lambda *_: None)
    assert logs == pytest.approx({name: values[0] for name, values in kept.history.items()}, rel=SAME)
    for found, wanted in zip(ours.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(wanted), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["BinaryCrossentropy", "CategoricalCrossentropy"])
def test_smoothed_labels_train_as_in_keras_alone(kind, loss, dataset, three_classes):
    units, data = (1, dataset) if loss == "BinaryCrossentropy" else (3, three_classes)
    last, optimizer, order = "sigmoid" if units == 1 else "softmax", "sgd", order_of(data)
    plain = model_of(units, getattr(keras.losses, loss)(label_smoothing=0.2), (), last, optimizer)
    labels = plain_labels(data.labels, "float" if units == 1 else "one-hot", units)
    kept = plain.fit(data.images[order], labels[order], batch_size=16, shuffle=False, verbose=0)
    ours = model_of(units, getattr(keras.losses, loss)(), (), last, optimizer)
    apply_recipe(ours, Recipe(label_smoothing=0.2), max(2, units), steps=1)
    logs = kind(ours, data.images, data.labels).train_epoch(order, 16, lambda *_: None)
    assert logs["loss"] == pytest.approx(kept.history["loss"][0], rel=SAME)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("loss", "metric", "form"),
    [
        ("sparse_categorical_crossentropy", native("AUC"), "one-hot"),
        ("sparse_categorical_crossentropy", native("F1Score", average="macro"), "one-hot"),
        ("categorical_crossentropy", lambda: "sparse_categorical_accuracy", "class"),
    ],
)
def test_a_metric_of_other_labels_than_the_loss_has_its_own(kind, loss, metric, form, three_classes):
    """Keras alone cannot do it in one pass, so a model with a loss for the metric's labels measures it."""
    part = three_classes.splits["validation"]
    other = {"one-hot": "categorical_crossentropy", "class": "sparse_categorical_crossentropy"}[form]
    plain = model_of(3, other, ["accuracy", metric()])
    labels = plain_labels(three_classes.labels, form, 3)
    wanted = plain.evaluate(three_classes.images[part], labels[part], verbose=0, return_dict=True)
    model = model_of(3, loss, ["accuracy", metric()])
    loop = kind(model, three_classes.images, three_classes.labels)
    assert loop.evaluate(part) == pytest.approx(wanted, rel=SAME)
    assert loop.train_epoch(order_of(three_classes), 16, lambda *_: None).keys() == wanted.keys()


def always_alike(y_true, y_pred):
    return ops.mean(y_pred) + 0 * ops.sum(ops.cast(y_true, "float32"))


def refusal(model):
    with pytest.raises(TrialError) as caught:
        label_encoding(model, SHAPE)
    return str(caught.value)


def always_wrong(*_):
    raise ValueError("seven of nine")


@pytest.mark.parametrize(
    ("units", "loss", "last", "words"),
    [
        (1, "binary_crossentropy", "softmax", ["softmax", "always 1"]),
        (
            1,
            "sparse_categorical_crossentropy",
            "sigmoid",
            ["'sparse_categorical_crossentropy'", "one output"],
        ),
        (1, "categorical_crossentropy", "sigmoid", ["'categorical_crossentropy'", "one output"]),
        (1, "kl_divergence", "sigmoid", ["'kl_divergence'"]),
        (3, always_alike, "softmax", ["'always_alike'", "class numbers", "one-hot"]),
        (1, "binary_crosentropy", "sigmoid", ["binary_crosentropy"]),
        (3, always_wrong, "softmax", ["'always_wrong'", "ValueError", "seven of nine"]),
    ],
)
def test_outputs_that_no_labels_suit_are_refused_in_a_sentence(units, loss, last, words):
    problem = refusal(model_of(units, loss, ["accuracy"], last))
    assert "\n" not in problem
    for word in words:
        assert word in problem


def test_metrics_that_no_labels_suit_together_are_refused():
    model = model_of(3, "sparse_categorical_crossentropy", [keras.metrics.AUC(name="area"), f1])
    problem = refusal(model)
    for word in ("'area'", "'f1'", "one-hot"):
        assert word in problem


@pytest.mark.parametrize("loss", ["hinge", "poisson", "huber", "binary_crossentropy", focal])
def test_losses_that_prefer_the_right_class_are_not_refused(loss):
    assert label_encoding(model_of(1, loss, ["accuracy"], "sigmoid"), SHAPE).form == "float"


def loss_of_a_score(y_true, y_pred):
    """One minus a soft F1, which tells nothing of a batch without both classes."""
    return 1 - 2 * ops.sum(y_true * y_pred) / (ops.sum(y_true) + ops.sum(y_pred) + 1e-7)


def test_a_loss_that_needs_all_classes_in_a_batch_is_not_refused():
    assert label_encoding(model_of(1, loss_of_a_score, (), "sigmoid"), SHAPE).form == "float"


def test_sigmoid_units_of_a_binary_loss_become_probabilities(three_classes):
    model = model_of(3, "binary_crossentropy", (), "sigmoid")
    outputs = make_loop(model, three_classes.images, three_classes.labels).predict(np.arange(4))
    found = probabilities(model, outputs)
    np.testing.assert_allclose(found, outputs / outputs.sum(axis=1, keepdims=True), rtol=1e-5)


def test_sigmoid_units_that_are_all_zero_tell_nothing():
    model = model_of(3, "binary_crossentropy", (), "sigmoid")
    np.testing.assert_allclose(probabilities(model, np.zeros((1, 3))), [[1 / 3] * 3])
