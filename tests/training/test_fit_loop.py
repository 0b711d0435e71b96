"""A user's own fit trains the trials, with the guarantees of every training that it does not break."""

# ruff: noqa: ARG001, ARG002, ARG005 - the arguments of Keras and Keras Tuner
import copy
import gc
import threading

import keras
import numpy as np
import pytest

from tests.training.fits import Fitting, metrics_of, passes_on
from tests.training.models import assert_same_state, epochs_of, failure_of, run, small, state, task
from tuner.training.task import TrialError
from tuner.training.trial import build_trial
from tuner.training.warm_trials import WarmTrials

pytestmark = pytest.mark.training


def test_it_trains_to_the_weights_of_plain_keras_with_the_same_data_and_class_weights(dataset, tmp_path):
    given = {}

    def fit(hp, model, x, y, **kwargs):
        given.update(x=x, y=y, start=[np.array(each) for each in model.get_weights()])
        return model.fit(x, y, class_weight={0: 1.0, 1: 3.0}, shuffle=False, **kwargs)

    hypermodel = Fitting(fit)
    run(tmp_path, hypermodel, dataset, epochs=2)
    plain = small(keras.optimizers.SGD(0.1))
    plain.set_weights(given["start"])
    plain.fit(given["x"], given["y"], 16, 2, 0, class_weight={0: 1.0, 1: 3.0}, shuffle=False)
    for ours, theirs in zip(hypermodel.built[0].get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(
        np.sort(given["x"].ravel()), np.sort(dataset.images[dataset.splits["train"]].ravel())
    )


def test_what_it_is_given(dataset, tmp_path):
    given = {}

    def fit(hp, model, *args, **kwargs):
        given.update(kwargs, args=args, hp=hp)
        return model.fit(*args, **kwargs)

    run(tmp_path, Fitting(fit), dataset, epochs=1, passes=3.0, values={"units": 3})
    assert (given["batch_size"], given["epochs"], given["hp"].get("units")) == (16, 3, 3)
    assert [len(part) for part in given["args"]] == [len(dataset.splits["train"])] * 2
    assert [len(part) for part in given["validation_data"]] == [len(dataset.splits["validation"])] * 2


def test_equal_trials_are_equal(dataset, tmp_path):
    for name in ("first", "second"):
        run(tmp_path / name, Fitting(passes_on, lambda _: small(dropout=0.5)), dataset, epochs=2)
    assert_same_state(tmp_path / "first", tmp_path / "second")


def test_rungs_in_one_process_are_one_fit(dataset, tmp_path):
    calls = []

    def fit(hp, model, *args, **kwargs):
        calls.append(model)
        return model.fit(*args, **kwargs)

    warm, hypermodel = WarmTrials(), Fitting(fit)
    for epochs in (1, 3):
        done, _ = run(tmp_path / "parts", hypermodel, dataset, epochs=epochs, warm=warm, passes=3.0)
    run(tmp_path / "once", Fitting(passes_on), dataset, epochs=3, passes=3.0)
    assert (done.epochs, len(calls)) == (3, 1)
    assert_same_state(tmp_path / "parts", tmp_path / "once")


def test_weights_optimizer_and_epochs_go_on_after_an_interruption(dataset, tmp_path):
    def build(_):
        return small(keras.optimizers.Adam(0.01), dropout=0.5)

    def fit(hp, model, *args, callbacks=(), **kwargs):
        own = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1))
        return model.fit(*args, callbacks=[own, *callbacks], shuffle=False, **kwargs)

    for epochs in (1, 3):
        run(tmp_path / "parts", Fitting(fit, build), dataset, epochs=epochs, passes=3.0)
    run(tmp_path / "once", Fitting(fit, build), dataset, epochs=3, passes=3.0)
    assert_same_state(tmp_path / "parts", tmp_path / "once")


def test_a_callback_keeps_its_state_across_epochs_and_rungs(dataset, tmp_path):
    """The learning rate falls after two epochs without a gain, of which one is in each rung."""

    def fit(hp, model, *args, callbacks=(), **kwargs):
        own = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=100.0)
        return model.fit(*args, callbacks=[*callbacks, own], **kwargs)

    warm, hypermodel = WarmTrials(), Fitting(fit)
    found = []
    for epochs in (2, 3):
        _, events = run(tmp_path, hypermodel, dataset, epochs=epochs, warm=warm, passes=3.0)
        found += [each["learning_rate"] for each in metrics_of(events)]
    # Keras reports the rate of the epoch, then changes it.
    assert float(hypermodel.built[0].optimizer.learning_rate) == pytest.approx(0.05)
    assert found == pytest.approx([0.1] * 3 + [0.1] * (len(found) - 3))


def test_its_early_stopping_ends_the_trial_for_good_with_the_weights_that_it_restores(dataset, tmp_path):
    kept = []

    class Keeps(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(self.model.get_weights())

    def fit(hp, model, *args, callbacks=(), **kwargs):
        # No epoch is better than the first.
        stop = keras.callbacks.EarlyStopping(
            "loss", min_delta=100.0, patience=2, restore_best_weights=True, start_from_epoch=0
        )
        return model.fit(*args, callbacks=[*callbacks, Keeps(), stop], **kwargs)

    done, events = run(tmp_path, Fitting(fit), dataset, epochs=9)
    assert (done.epochs, done.stopped_early) == (3, True)
    assert len(epochs_of(events)) == 3
    for saved, first in zip(state(tmp_path).values(), kept[0], strict=False):
        np.testing.assert_array_equal(saved, first)
    # A new process does not train it on.
    done, events = run(tmp_path, Fitting(fit), dataset, epochs=9, epochs_reported=3)
    assert (done.epochs, done.stopped_early, epochs_of(events)) == (3, True, [])


def test_its_own_number_of_epochs_ends_the_trial(dataset, tmp_path):
    def fit(hp, model, *args, **kwargs):
        return model.fit(*args, epochs=2, **kwargs)

    done, _ = run(tmp_path, Fitting(fit), dataset, epochs=5)
    assert (done.epochs, done.stopped_early) == (2, True)


def test_several_calls_of_model_fit_are_one_training(dataset, tmp_path):
    def fit(hp, model, x, y, callbacks=None, epochs=None, **kwargs):
        model.fit(x, y, epochs=2, callbacks=callbacks, shuffle=False, **kwargs)
        model.optimizer.learning_rate = 0.01
        return model.fit(x, y, epochs=2, callbacks=callbacks, shuffle=False, **kwargs)

    done, _ = run(tmp_path / "once", Fitting(fit), dataset, epochs=9)
    assert done.epochs == 4
    run(tmp_path / "parts", Fitting(fit), dataset, epochs=3)
    done, _ = run(tmp_path / "parts", Fitting(fit), dataset, epochs=9)
    assert done.epochs == 4
    assert_same_state(tmp_path / "parts", tmp_path / "once")


def test_the_returned_value_may_be_anything(dataset, tmp_path):
    for number, value in enumerate((None, 0.5, {"val_loss": 0.5})):

        def fit(hp, model, *args, value=value, **kwargs):
            model.fit(*args, **kwargs)
            return value

        assert run(tmp_path / str(number), Fitting(fit), dataset, epochs=2)[0].epochs == 2


def test_copied_callbacks_report_once(dataset, tmp_path):
    def fit(hp, model, *args, callbacks=(), **kwargs):
        return model.fit(*args, callbacks=copy.deepcopy(callbacks), **kwargs)

    _, events = run(tmp_path, Fitting(fit), dataset, epochs=2)
    assert [event.number for event in epochs_of(events)] == [1, 2]


def test_data_of_its_own_making_train(dataset, tmp_path):
    class Flipped(keras.utils.PyDataset):
        def __init__(self, x, y):
            super().__init__()
            self._x, self._y = x, y

        def __len__(self):
            return len(self._x) // 4

        def __getitem__(self, index):
            part = slice(4 * index, 4 * index + 4)
            return self._x[part, :, ::-1], self._y[part]

    def fit(hp, model, x, y, batch_size=None, **kwargs):
        return model.fit(Flipped(x, y), **kwargs)

    done, events = run(tmp_path, Fitting(fit), dataset, epochs=2)
    assert (done.epochs, done.batch_size) == (2, 4)
    assert "loss" in metrics_of(events)[1]


def test_the_batch_size_that_trained_is_reported(dataset, tmp_path):
    def fit(hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", [4, 8]), **kwargs)

    # Half of the value, after a lack of memory.
    done, _ = run(tmp_path / "hp", Fitting(fit), dataset, values={"batch_size": 8}, batch_size=4)
    assert done.batch_size == 4
    constant = Fitting(lambda hp, model, x, y, **kwargs: model.fit(x, y, 2, **kwargs))
    failure_or_done = run(tmp_path / "constant", constant, dataset)[0]
    assert failure_or_done.batch_size == 2


def test_more_images_are_a_new_call(dataset, tmp_path):
    sizes = []

    def fit(hp, model, x, y, **kwargs):
        sizes.append(len(x))
        return model.fit(x, y, **kwargs)

    done, events = run(tmp_path, Fitting(fit), dataset, epochs=3, shares=((1, 0.5),), passes=2.5)
    assert done.epochs == 3
    assert [event.epoch.images for event in epochs_of(events)] == [sizes[0], sizes[1], sizes[1]]
    assert 0 < sizes[0] < sizes[1]


def test_the_end_of_the_time_ends_it(dataset, tmp_path):
    done, _ = run(tmp_path, Fitting(passes_on), dataset, epochs=3, left_s=-1.0)
    assert (done.timed_out, done.epochs) == (True, 0)


def test_a_loss_that_is_not_finite_fails_the_trial(dataset, tmp_path):
    broken = Fitting(passes_on, lambda _: small(keras.optimizers.SGD(float("nan"))))
    assert failure_of(broken, dataset, tmp_path).reason == "nan"


def test_its_errors_are_the_errors_of_the_trial(dataset, tmp_path):
    def fit(hp, model, *args, **kwargs):
        raise KeyError("not there")

    with pytest.raises(KeyError, match="not there"):
        run(tmp_path, Fitting(fit), dataset)


def test_a_fit_for_other_data_is_refused(dataset, tmp_path):
    def fit(hp, model, dataset, callbacks=None):
        pass

    with pytest.raises(TrialError, match="x, y"):
        run(tmp_path, Fitting(fit), dataset)


def test_the_thread_of_a_dropped_trial_ends(dataset, tmp_path):
    before = set(threading.enumerate())
    trial = build_trial(task(tmp_path, 3, passes=3.0), Fitting(passes_on), dataset)
    trial.loop.train_epoch(dataset.splits["train"], 16, lambda *_: None)
    (thread,) = (each for each in set(threading.enumerate()) - before if each.name == "fit")
    del trial
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_a_training_on_all_images_watches_a_part_of_them(dataset, tmp_path):
    """Callbacks that look at validation figures act, and a fit may unpack its validation data."""
    given = {}

    def fit(hp, model, x, y, validation_data, **kwargs):
        given["images"], given["labels"] = validation_data
        return model.fit(x, y, validation_data=validation_data, **kwargs)

    _, events = run(tmp_path, Fitting(fit), dataset, epochs=1, objective=None)
    assert "val_loss" in metrics_of(events)[0]
    assert len(np.unique(given["labels"])) == 2
    known = {image.tobytes() for image in dataset.images[dataset.splits["train"]]}
    assert {image.tobytes() for image in given["images"]} < known
