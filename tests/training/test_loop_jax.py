import gc
import os
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from tests.training.loops import order_of, train_epochs
from tests.training.models import small

if keras.config.backend() != "jax":
    pytest.skip("this loop needs KERAS_BACKEND=jax", allow_module_level=True)

import jax

from tuner.training import loop_jax, pipeline
from tuner.training.loop import KerasLoop, make_loop
from tuner.training.loop_jax import JaxLoop
from tuner.training.task import TrialError

pytestmark = pytest.mark.training


class Counting(keras.Sequential):  # type: ignore[misc]
    """Counts how often its training step is traced."""

    traced = 0

    def train_step(self, state, data):
        self.traced += 1
        return super().train_step(state, data)


class OwnFigure(keras.Sequential):  # type: ignore[misc]
    """Reports a figure of its own from its training step."""

    def train_step(self, state, data):
        logs, state = super().train_step(state, data)
        return {**logs, "mean_label": keras.ops.mean(keras.ops.cast(data[1], "float32"))}, state


class AsInTheGuide(keras.Sequential):  # type: ignore[misc]
    """Has the training step of Keras' guide, which reports the result of each metric."""

    def train_step(self, state, data):
        trainable, others, of_optimizer, of_metrics = state
        x, y = data

        def loss_of(trainable, others):
            outputs, others = self.stateless_call(trainable, others, x, training=True)
            return self.compute_loss(x, y, outputs), (outputs, others)

        (loss, (outputs, others)), slopes = jax.value_and_grad(loss_of, has_aux=True)(trainable, others)
        trainable, of_optimizer = self.optimizer.stateless_apply(of_optimizer, slopes, trainable)
        logs, updated = {}, []
        for metric in self.metrics:
            own = of_metrics[len(updated) : len(updated) + len(metric.variables)]
            arguments = (loss,) if metric.name == "loss" else (y, outputs)
            own = metric.stateless_update_state(own, *arguments)
            logs[metric.name] = metric.stateless_result(own)
            updated += own
        return logs, (trainable, others, of_optimizer, updated)


def ready(kind=keras.Sequential):
    """A compiled model with weights that are not trained, and with random state."""
    model = kind(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(params=[True, False], ids=["step by step", "loop on device"])
def _either_way(request, monkeypatch):
    """As on a CPU, and as on a GPU."""
    monkeypatch.setattr(loop_jax, "loops_cost", lambda: request.param)


def small_windows(monkeypatch):
    """Let no more than three batches of 16 be on the device at a time."""
    monkeypatch.setattr(pipeline, "_held", None)
    monkeypatch.setattr(pipeline, "MEMORY_SHARE", 0)
    monkeypatch.setattr(loop_jax, "WINDOW_BYTES", 3 * 16 * 8 * 8 * 3)


def trained(kind, dataset, build=ready, epochs=2):
    """Metrics of the last epoch, and every variable after it."""
    keras.utils.set_random_seed(0)
    model = build()
    loop = kind(model, dataset.images, dataset.labels)
    for _ in range(epochs):
        logs = loop.train_epoch(order_of(dataset), 16, lambda *_: None)
    return logs, [keras.ops.convert_to_numpy(v) for v in (*model.variables, *model.optimizer.variables)]


def test_jax_takes_the_fast_loop(dataset):
    assert isinstance(make_loop(small(), dataset.images, dataset.labels), JaxLoop)


@pytest.mark.parametrize("wish", [{"run_eagerly": True}, {"jit_compile": False}])
def test_a_model_that_is_not_to_be_compiled_is_not(dataset, wish):
    model = small()
    model.compile("adam", "binary_crossentropy", **wish)
    assert isinstance(make_loop(model, dataset.images, dataset.labels), KerasLoop)


@pytest.mark.usefixtures("_either_way")
def test_weights_random_states_and_optimizer_end_as_with_keras_own_fit(dataset):
    ours, variables = trained(JaxLoop, dataset)
    theirs, expected = trained(KerasLoop, dataset)
    assert ours == pytest.approx(theirs, rel=1e-4)
    for found, wanted in zip(variables, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("_either_way")
def test_data_larger_than_its_share_of_memory_trains_to_the_same_result(dataset, monkeypatch):
    held, held_outputs = train_epochs(JaxLoop, dataset, ready)
    small_windows(monkeypatch)
    streamed, streamed_outputs = train_epochs(JaxLoop, dataset, ready)
    assert streamed == held
    np.testing.assert_array_equal(streamed_outputs, held_outputs)


@pytest.mark.usefixtures("_either_way")
def test_a_step_of_the_users_own_reports_its_own_figures(dataset):
    ours, _ = trained(JaxLoop, dataset, lambda: ready(OwnFigure))
    theirs, _ = trained(KerasLoop, dataset, lambda: ready(OwnFigure))
    assert "mean_label" in ours
    assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.usefixtures("_either_way")
def test_a_step_as_keras_guide_teaches_it_reports_the_figures_of_keras_own_fit(dataset):
    ours, variables = trained(JaxLoop, dataset, lambda: ready(AsInTheGuide))
    theirs, _ = trained(KerasLoop, dataset, lambda: ready(AsInTheGuide))
    assert ours.keys() == {"loss", "accuracy"}
    assert ours == pytest.approx(theirs, rel=1e-4)
    _, expected = trained(JaxLoop, dataset)
    for found, wanted in zip(variables, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("streamed", [False, True])
def test_only_the_smaller_last_batch_is_compiled_beside_the_others(dataset, monkeypatch, streamed):
    if streamed:
        small_windows(monkeypatch)
    assert len(dataset.splits["train"]) % 16
    model = ready(Counting)
    loop = JaxLoop(model, dataset.images, dataset.labels)
    for _ in range(3):
        loop.train_epoch(order_of(dataset), 16, lambda *_: None)
    assert model.traced == 2


@pytest.mark.usefixtures("_either_way")
def test_variables_can_be_read_whenever_the_listener_is_called(dataset):
    model = ready()
    seen = []
    JaxLoop(model, dataset.images, dataset.labels).train_epoch(
        order_of(dataset), 16, lambda *_: seen.append(int(model.optimizer.iterations))
    )
    assert seen[-1] == -(-len(dataset.splits["train"]) // 16)
    assert seen == sorted(set(seen))


@pytest.mark.usefixtures("_either_way")
def test_training_leaves_no_model_behind(dataset):
    model = ready()
    loop = JaxLoop(model, dataset.images, dataset.labels)
    loop.train_epoch(order_of(dataset), 16, lambda *_: None)
    loop.evaluate(dataset.splits["validation"])
    loop.predict(dataset.splits["test"])
    left = weakref.ref(model)
    del model, loop
    keras.utils.clear_session()
    gc.collect()
    assert left() is None


def test_a_process_keeps_what_it_compiled_for_the_next(tmp_path):
    code = (
        "from tuner.training.device import quiet_import\n"
        "with quiet_import():\n"
        "    import jax\n"
        "jax.jit(lambda x: x + 1)(1.0)\n"
    )
    settings = {"TUNER_CACHE_DIR": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment | settings)
    assert list((tmp_path / "jax").iterdir())


def test_a_metric_that_calls_tensorflow_is_refused_with_the_remedy(dataset):
    functions = {}
    # A file of that package, which need not be installed here.
    code = compile("def total(x):\n    raise TypeError('no tensor')\n", "/lib/tensorflow/math.py", "exec")
    exec(code, functions)

    def recall(y_true, y_pred):
        return functions["total"](y_true * y_pred)

    with pytest.raises(TrialError, match=r"no tensor.*TensorFlow.*keras.ops.*KERAS_BACKEND=tensorflow"):
        make_loop(small(metrics=[recall]), dataset.images, dataset.labels)
