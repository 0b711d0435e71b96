"""What every loop does, on whichever backend is active."""

import keras
import numpy as np
import pytest

from tests.training.loops import order_of, train_epochs
from tests.training.models import small
from tuner.training.loop import KerasLoop, make_loop
from tuner.training.task import TrialError

pytestmark = pytest.mark.training

# The loop of the active backend, and the one that works on all.
KINDS = [make_loop, KerasLoop]


def test_both_loops_train_to_the_same_metrics_and_predictions(dataset):
    def build():
        return small(metrics=("accuracy", keras.metrics.AUC(name="auc")))

    fast, fast_outputs = train_epochs(make_loop, dataset, build)
    plain, plain_outputs = train_epochs(KerasLoop, dataset, build)
    for ours, theirs in zip(fast, plain, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    np.testing.assert_allclose(fast_outputs, plain_outputs, rtol=1e-4)


@pytest.mark.parametrize("frequency", [2, 5, 100])  # within an epoch of six steps, across epochs, never
def test_averaged_weights_take_their_place_when_the_optimizer_says_so_on_both_loops(frequency, dataset):
    def build():
        return small(keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=frequency))

    fast, fast_outputs = train_epochs(make_loop, dataset, build, epochs=3)
    plain, plain_outputs = train_epochs(KerasLoop, dataset, build, epochs=3)
    for ours, theirs in zip(fast, plain, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    np.testing.assert_allclose(fast_outputs, plain_outputs, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_image_is_reported_as_it_is_trained_and_a_batch_makes_one_update(kind, dataset):
    seen = []
    model, order = small(), order_of(dataset)
    kind(model, dataset.images, dataset.labels).train_epoch(order, 16, lambda done, _: seen.append(done))
    assert seen == sorted(set(seen))
    assert seen[-1] == len(order)
    assert int(model.optimizer.iterations) == -(-len(order) // 16)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_listener_raises_ends_the_epoch(kind, dataset):
    def stop(*_):
        raise InterruptedError

    model = small()
    with pytest.raises(InterruptedError):
        kind(model, dataset.images, dataset.labels).train_epoch(order_of(dataset), 1, stop)
    assert 0 < int(model.optimizer.iterations) < len(dataset.splits["train"])


def test_metrics_start_anew_in_each_epoch_and_predictions_keep_the_order_asked_for(dataset):
    loop = make_loop(small(keras.optimizers.SGD(0.0)), dataset.images, dataset.labels)
    first, second = (loop.train_epoch(order_of(dataset), 16, lambda *_: None) for _ in range(2))
    assert first == second
    indices = dataset.splits["test"]
    np.testing.assert_allclose(loop.predict(indices[::-1]), loop.predict(indices)[::-1], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("images", [5, 600])  # less than a batch, and a batch with a rest
def test_metrics_and_predictions_can_be_had_at_once(kind, images, dataset):
    loop = kind(small(), dataset.images, dataset.labels)
    indices = np.resize(dataset.splits["train"], images)
    metrics, outputs = loop.evaluate_and_predict(indices)
    assert metrics == loop.evaluate(indices)
    np.testing.assert_allclose(outputs, loop.predict(indices), rtol=1e-5)


def test_a_model_that_is_to_run_eagerly_does(dataset):
    model = small()
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    assert isinstance(make_loop(model, dataset.images, dataset.labels), KerasLoop)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_reports_no_loss_fails_the_trial(kind, dataset):
    model = small()
    plain = model.train_step

    def train_step(*arguments):
        found = plain(*arguments)
        logs = {"gain": keras.ops.ones(())}
        return (logs, found[1]) if isinstance(found, tuple) else logs

    model.train_step = train_step
    loop = kind(model, dataset.images, dataset.labels)
    with pytest.raises(TrialError, match="gain, and no 'loss'"):
        loop.train_epoch(order_of(dataset), 16, lambda *_: None)


def test_a_step_for_another_backend_is_refused(dataset):
    model = small()
    if keras.config.backend() == "jax":
        model.train_step = lambda data: {"loss": data}
    else:
        model.train_step = lambda state, data: ({"loss": data}, state)
    with pytest.raises(TrialError, match=f"train_step.*{keras.config.backend()}.*KERAS_BACKEND="):
        make_loop(model, dataset.images, dataset.labels)
