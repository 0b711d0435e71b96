import gc
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.training.loops import order_of, train_epochs
from tests.training.models import small

if keras.config.backend() != "tensorflow":
    pytest.skip("this loop needs KERAS_BACKEND=tensorflow", allow_module_level=True)

import tensorflow as tf

from tuner.training import loop_tensorflow, pipeline
from tuner.training.kernels_tensorflow import LARGE_MATRIX, fuse_updates
from tuner.training.loop import KerasLoop, make_loop
from tuner.training.loop_tensorflow import TensorFlowLoop

pytestmark = pytest.mark.training

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adam_unusual": lambda: keras.optimizers.Adam(0.1, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
    "adam_clipped": lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
    "adam_averaged": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    "adam_accumulated": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 6), momentum=0.5),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
}


@pytest.fixture(scope="module")
def plain(dataset):
    """What the loop gives without XLA, with the data in memory."""
    return train_epochs(TensorFlowLoop, dataset)


class OwnFigures(keras.Sequential):  # type: ignore[misc]
    """Reports figures of its own, and no metrics, as in Keras' guide to steps of one's own."""

    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=labels, y_pred=self(images, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss, "mean_label": keras.ops.mean(keras.ops.cast(labels, "float32"))}

    def test_step(self, data):
        images, labels = data
        return {"loss": self.compute_loss(y=labels, y_pred=self(images, training=False)), "figure": 7.0}


class AsInTheGuide(keras.Sequential):  # type: ignore[misc]
    """Has the steps of Keras' guide, which report the result of each metric."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            outputs = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=outputs)
        slopes = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(slopes, self.trainable_variables)
        return self._figures(loss, y, outputs)

    def test_step(self, data):
        x, y = data
        outputs = self(x, training=False)
        return self._figures(self.compute_loss(y=y, y_pred=outputs), y, outputs)

    def _figures(self, loss, y, outputs):
        for metric in self.metrics:
            metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, outputs)
        return {metric.name: metric.result() for metric in self.metrics}


def as_in_the_guide():
    model = AsInTheGuide(small().layers)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def with_own_figures():
    model = OwnFigures(small().layers)
    model.compile("adam", "binary_crossentropy")
    return model


def trained_variable(optimizer, fused):
    """A variable after six updates, large gradients and small, and the optimizer's own state."""
    rng = np.random.default_rng(0)
    variable = keras.Variable(rng.normal(size=(4, 3)).astype("float32"))
    optimizer.build([variable])
    if fused:
        fuse_updates(optimizer)
    for step in range(6):
        gradient = rng.normal(size=(4, 3)) * 10.0 ** (step - 3)
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype("float32"))])
    return [v.numpy() for v in (variable, *optimizer.variables)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_fused_update_is_that_of_keras_up_to_rounding(name):
    """The kernel takes 1 - beta_2 in float32, 1.3e-5 off Keras' own."""
    plain = trained_variable(OPTIMIZERS[name](), fused=False)
    fused = trained_variable(OPTIMIZERS[name](), fused=True)
    assert len(plain) == len(fused)
    for ours, theirs in zip(fused, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "nesterov"])
def test_an_update_of_a_common_optimizer_is_fused(name):
    optimizer = OPTIMIZERS[name]()
    fuse_updates(optimizer)
    assert "update_step" in vars(optimizer)


def test_an_optimizer_derived_from_adam_keeps_its_own_update():
    class Mine(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):  # noqa: ARG002
            self.assign_add(variable, keras.ops.ones_like(gradient))

    start, *_ = trained_variable(keras.optimizers.SGD(0.0), fused=True)
    moved, *_ = trained_variable(Mine(), fused=True)
    np.testing.assert_allclose(moved, start + 6, rtol=1e-6)


def test_a_trained_model_saves_and_loads_with_an_ordinary_optimizer(dataset, tmp_path):
    model = small("adam")
    make_loop(model, dataset.images, dataset.labels).train_epoch(order_of(dataset), 16, lambda *_: None)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is keras.optimizers.Adam
    assert "update_step" not in vars(loaded.optimizer)
    for ours, theirs in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_tensorflow_takes_the_fast_loop(dataset):
    assert isinstance(make_loop(small(), dataset.images, dataset.labels), TensorFlowLoop)


def test_data_larger_than_its_share_of_memory_trains_to_the_same_result(dataset, monkeypatch, plain):
    monkeypatch.setattr(pipeline, "_held", None)
    monkeypatch.setattr(pipeline, "MEMORY_SHARE", 0)
    streamed, streamed_outputs = train_epochs(TensorFlowLoop, dataset)
    assert streamed == plain[0]
    np.testing.assert_array_equal(streamed_outputs, plain[1])


def test_training_leaves_no_graph_behind(dataset):
    def graphs():
        gc.collect()
        return sum(isinstance(thing, tf.Graph) for thing in gc.get_objects())

    def build():
        model = small()
        model.layers[2].activation = keras.activations.silu
        return model

    train_epochs(TensorFlowLoop, dataset, build)
    before = graphs()
    train_epochs(TensorFlowLoop, dataset, build)
    assert graphs() == before


def test_a_gradient_is_found_as_long_as_its_graph_lives(dataset):
    own = tf.function(tf.nn.silu)

    def build():
        model = small()
        model.layers[2].activation = own
        return model

    for _ in range(2):
        logs, _ = train_epochs(TensorFlowLoop, dataset, build)
        assert np.isfinite(logs[0]["loss"])


def test_xla_changes_rounding_alone(dataset, plain):
    compiled = train_epochs(lambda *data: TensorFlowLoop(*data, True), dataset)
    for left, right in zip(plain[0], compiled[0], strict=True):
        assert left == pytest.approx(right, rel=1e-3)
    np.testing.assert_allclose(plain[1], compiled[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("build", [small, with_own_figures])
def test_what_is_traced_before_is_not_traced_again(dataset, build):
    model = build()
    calls = []
    step = model.train_step

    def counted(*arguments):
        calls.append(1)
        return step(*arguments)

    model.train_step = counted
    loop = TensorFlowLoop(model, dataset.images, dataset.labels)
    loop.trace()
    traced = len(calls)
    loop.train_epoch(order_of(dataset), 16, lambda *_: None)
    assert len(calls) == traced == 1


@pytest.mark.parametrize("xla", [False, True])
def test_steps_as_keras_guide_teaches_them_report_the_figures_of_keras_own_fit(dataset, xla, plain):
    def kind(*arguments):
        return make_loop(*arguments, xla=xla)

    ours, outputs = train_epochs(kind, dataset, as_in_the_guide)
    theirs, _ = train_epochs(KerasLoop, dataset, as_in_the_guide)
    assert ours[0].keys() == {"loss", "accuracy"}
    for found, wanted in zip(ours, theirs, strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)
    np.testing.assert_allclose(outputs, plain[1], rtol=1e-3)


@pytest.fixture(scope="module")
def own_figures_of_keras(dataset):
    return train_epochs(KerasLoop, dataset, with_own_figures)


@pytest.mark.parametrize("xla", [False, True])
def test_a_step_of_the_users_own_reports_its_own_figures(dataset, xla, own_figures_of_keras):
    def fast(*data):
        return TensorFlowLoop(*data, xla)

    ours, outputs = train_epochs(fast, dataset, with_own_figures)
    theirs, expected = own_figures_of_keras
    assert ours[0].keys() == {"loss", "mean_label"}
    assert ours[-1].keys() == {"loss", "figure"}
    for left, right in zip(ours, theirs, strict=True):
        assert left == pytest.approx(right, rel=1e-3)
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("columns", [8, LARGE_MATRIX // 512], ids=["small", "large"])
@pytest.mark.parametrize("transposed", [False, True])
def test_the_gradient_of_a_product_is_that_of_float64(columns, transposed):
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(4, 512)), rng.normal(size=(512, columns))
    weights = rng.normal(size=(4, columns))

    @tf.function
    def gradients(left, right, weights):
        with tf.GradientTape() as tape:
            tape.watch((left, right))
            product = tf.matmul(left, tf.transpose(right) if transposed else right, transpose_b=transposed)
            total = tf.reduce_sum(product * weights)
        return tape.gradient(total, (left, right))

    found = gradients(*(tf.constant(array, tf.float32) for array in (left, right, weights)))
    np.testing.assert_allclose(found[0], weights @ right.T, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(found[1], left.T @ weights, rtol=1e-3, atol=1e-2)


def test_predictions_come_with_figures_of_a_test_step_of_its_own(dataset):
    loop = TensorFlowLoop(with_own_figures(), dataset.images, dataset.labels)
    indices = dataset.splits["validation"]
    metrics, outputs = loop.evaluate_and_predict(indices)
    assert metrics["figure"] == 7.0
    np.testing.assert_array_equal(outputs, loop.predict(indices))


@pytest.mark.parametrize(
    ("limit", "used", "holds"),
    [(10**9, 0, True), (10**9, 10**9 - 1000, False), (1000, 0, False)],
)
def test_images_are_held_on_a_gpu_where_its_own_memory_allows(limit, used, holds, dataset, monkeypatch):
    device = SimpleNamespace(device_type="GPU", memory_limit=limit)
    monkeypatch.setattr(pipeline, "_held", None)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: [device])
    monkeypatch.setattr(loop_tensorflow.device_lib, "list_local_devices", lambda: [device])
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", lambda _: {"current": used})
    TensorFlowLoop(small(), dataset.images, dataset.labels)
    assert (pipeline._held is not None) == holds


def test_images_for_which_the_device_has_no_memory_after_all_are_streamed(dataset, monkeypatch, plain):
    def put(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    real = loop_tensorflow.held
    monkeypatch.setattr(pipeline, "_held", None)
    monkeypatch.setattr(
        loop_tensorflow, "held", lambda images, labels, _, free: real(images, labels, put, free)
    )
    streamed = train_epochs(TensorFlowLoop, dataset)
    assert pipeline._held is None
    assert streamed[0] == plain[0]
