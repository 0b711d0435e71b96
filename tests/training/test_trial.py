import math
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.training.models import (
    LOSS,
    Hypermodel,
    assert_same_state,
    epochs_of,
    failure_of,
    run,
    small,
    state,
)
from tuner.errors import TunerError
from tuner.objective import Objective
from tuner.training.build import probabilities
from tuner.training.checkpoint import BEST_FILE, STATE_FILE, Epoch
from tuner.training.loop import make_loop
from tuner.training.task import StepsDone, TrainTask
from tuner.training.trial import restore_winner, train

pytestmark = pytest.mark.training

RESUMABLE = {
    "momentum": lambda _: small(keras.optimizers.SGD(0.1, momentum=0.9), dropout=0.5),
    "schedule": lambda _: small(keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.1, 50))),
}
# The loss falls, so that the first epoch is the best where the highest is asked for.
HIGHEST = Objective("val_loss", "max")


def adam(_):
    return small(keras.optimizers.Adam(0.01), dropout=0.5)


def sigmoid(_):
    return small()


def frozen(_):
    """A model that never gets better."""
    return small(keras.optimizers.SGD(0.0))


def diverging(_):
    return small(keras.optimizers.SGD(math.nan))


@pytest.fixture(scope="module")
def uncut(dataset, tmp_path_factory):
    """The folder of a trial of four epochs that nothing interrupted."""
    folder = tmp_path_factory.mktemp("uncut")
    run(folder, adam, dataset, epochs=4)
    return folder


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    """A trial of three epochs in rung 1: its folder, its end and its events. Change copies of the folder."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, *run(folder, sigmoid, dataset, epochs=3, rung=1, objective=HIGHEST)


@pytest.fixture(scope="module")
def two_without_gain(dataset, tmp_path_factory):
    """The folder of a trial of two epochs that did not get better."""
    folder = tmp_path_factory.mktemp("frozen")
    run(folder, frozen, dataset, epochs=2)
    return folder


@pytest.fixture
def copy(tmp_path):
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.mark.parametrize("build", RESUMABLE.values(), ids=RESUMABLE)
def test_training_in_two_parts_gives_the_weights_of_training_at_once_bit_for_bit(dataset, tmp_path, build):
    run(tmp_path / "parts", build, dataset, epochs=1)
    run(tmp_path / "parts", build, dataset, epochs=3)
    run(tmp_path / "once", build, dataset, epochs=3)
    assert_same_state(tmp_path / "parts", tmp_path / "once")


def test_a_trial_cut_off_inside_an_epoch_goes_on_as_if_it_had_not_been(dataset, tmp_path, uncut):
    run(tmp_path, adam, dataset, epochs=2)
    done, _ = run(tmp_path, adam, dataset, epochs=4, left_s=-1.0)
    assert (done.timed_out, done.epochs) == (True, 2)
    run(tmp_path, adam, dataset, epochs=4)
    assert_same_state(tmp_path, uncut)


def test_the_same_seed_gives_the_same_weights(dataset, tmp_path, uncut):
    run(tmp_path, adam, dataset, epochs=4)
    assert_same_state(tmp_path, uncut)


def test_another_seed_gives_other_weights(dataset, tmp_path, uncut):
    run(tmp_path, adam, dataset, epochs=4, seed=0)
    assert (state(tmp_path)["model_0"] != state(uncut)["model_0"]).any()


def test_each_epoch_is_reported_with_its_metrics(trained):
    _, _, events = trained
    epochs = epochs_of(events)
    assert [(epoch.trial_id, epoch.rung, epoch.number) for epoch in epochs] == [
        ("0001", 1, number) for number in (1, 2, 3)
    ]
    assert set(epochs[0].epoch.metrics) == {"loss", "accuracy", "val_loss", "val_accuracy", "val_auc"}


def test_an_epoch_is_reported_once_its_checkpoint_is_written(dataset, tmp_path):
    saved = []

    class Watching(list):
        def append(self, event):
            if not isinstance(event, StepsDone):
                saved.append(len(str(state(tmp_path)["history"]).split("val_loss")) - 1)

    task = TrainTask("0001", {}, 0, 2, 16, 0, LOSS, 1, tmp_path)
    train(task, Hypermodel(sigmoid), dataset, Watching().append)
    assert saved == [1, 2]


def test_the_end_tells_what_was_done(dataset, trained):
    _, done, events = trained
    assert done.epochs == 3
    assert [done.epoch.images for done in epochs_of(events)] == [len(dataset.splits["train"])] * 3
    assert (done.stopped_early, done.timed_out) == (False, False)
    assert done.num_params == 192 * 8 + 8 + 8 + 1


def test_a_rung_that_is_done_already_trains_nothing(dataset, copy, trained):
    folder = copy(trained[0])
    done, events = run(folder, sigmoid, dataset, epochs=3, epochs_reported=3, objective=HIGHEST)
    assert (done.epochs, events) == (3, [])


def test_epochs_that_were_saved_but_never_heard_of_are_reported_and_not_trained_again(dataset, copy, trained):
    """The driver died between the checkpoint and the record of it."""
    folder, _, before = trained
    copied = copy(folder)
    done, events = run(copied, sigmoid, dataset, epochs=3, epochs_reported=1, rung=1, objective=HIGHEST)
    assert done.epochs == 3
    assert events == epochs_of(before)[1:]
    np.testing.assert_array_equal(state(copied)["model_0"], state(folder)["model_0"])


def test_a_trial_that_stopped_without_gain_stays_stopped_in_the_next_rung(dataset, tmp_path):
    done, events = run(tmp_path, frozen, dataset, epochs=6, patience=2)
    assert (done.epochs, done.stopped_early, len(epochs_of(events))) == (3, True, 3)
    done, events = run(tmp_path, frozen, dataset, epochs=9, patience=2, epochs_reported=3)
    assert (done.epochs, done.stopped_early, events) == (3, True, [])


def test_without_patience_a_trial_trains_to_the_end(dataset, copy, two_without_gain):
    done, _ = run(copy(two_without_gain), frozen, dataset, epochs=5, patience=0)
    assert (done.epochs, done.stopped_early) == (5, False)


def test_patience_counts_over_an_interruption(dataset, copy, two_without_gain):
    done, _ = run(copy(two_without_gain), frozen, dataset, epochs=9, patience=3)
    assert (done.epochs, done.stopped_early) == (4, True)


def test_a_loss_that_is_not_finite_fails_the_trial_and_leaves_no_state_to_go_on_from(dataset, tmp_path):
    """In Keras Tuner a NaN stays in the mean of all retries."""
    error = failure_of(diverging, dataset, tmp_path, epochs=3)
    assert error.reason == "nan"
    assert "epoch 1" in str(error)
    assert not (tmp_path / STATE_FILE).exists()


def test_an_objective_that_is_not_finite_fails_the_trial_with_reason_nan(dataset, tmp_path):
    def gain(_, outputs):
        return keras.ops.mean(outputs) * math.nan

    error = failure_of(
        lambda _: small(metrics=[gain]), dataset, tmp_path, objective=Objective("val_gain", "max")
    )
    assert error.reason == "nan"
    assert "val_gain" in str(error)
    assert "epoch 1" in str(error)


def test_the_deadline_stops_a_trial_inside_an_epoch(dataset, tmp_path):
    model = Hypermodel(sigmoid)
    done, events = run(tmp_path, model, dataset, batch_size=1, left_s=-1.0)
    assert (done.timed_out, done.epochs, events) == (True, 0, [])
    assert 0 < int(model.built[0].optimizer.iterations) < len(dataset.splits["train"])


def test_the_winner_has_the_weights_of_its_best_epoch_not_of_its_last(dataset, trained):
    folder, _, events = trained
    losses = [done.epoch.metrics["val_loss"] for done in epochs_of(events)]
    assert losses[0] > losses[-1]
    model = restore_winner(Hypermodel(sigmoid), {}, folder, dataset)
    figures = make_loop(model, dataset.images, dataset.labels).evaluate(dataset.splits["validation"])
    assert figures["loss"] == pytest.approx(losses[0], rel=1e-5)


def test_the_best_weights_are_kept_beside_the_state(trained):
    assert sorted(path.name for path in trained[0].iterdir()) == [BEST_FILE, STATE_FILE]


@pytest.mark.parametrize(
    ("loss", "outputs", "expected"),
    [
        (keras.losses.BinaryCrossentropy(), [[0.25]], [[0.75, 0.25]]),
        (keras.losses.BinaryCrossentropy(from_logits=True), [[math.log(3)]], [[0.25, 0.75]]),
        (keras.losses.SparseCategoricalCrossentropy(), [[0.5, 0.25, 0.25]], [[0.5, 0.25, 0.25]]),
        (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            [[1000.0, 1000.0 + math.log(3), -1000.0]],
            [[0.25, 0.75, 0.0]],
        ),
        ("binary_crossentropy", [[0.25]], [[0.75, 0.25]]),
        ([keras.losses.BinaryCrossentropy(from_logits=True)], [[math.log(3)]], [[0.25, 0.75]]),
        ({"out": keras.losses.BinaryCrossentropy(from_logits=True)}, [[math.log(3)]], [[0.25, 0.75]]),
        ("binary_crossentropy", [[1.001]], [[0.0, 1.0]]),
    ],
    ids=[
        *("sigmoid", "sigmoid_logits", "softmax", "softmax_logits", "loss_by_name"),
        *("loss_in_a_list", "loss_in_a_dict", "rounded"),
    ],
)
def test_outputs_become_probabilities(loss, outputs, expected):
    found = probabilities(SimpleNamespace(loss=loss), np.array(outputs))
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("outputs", "values"),
    [
        ([[0.5], [1.5]], "0.5 to 1.5"),
        ([[-0.5], [0.5]], "-0.5 to 0.5"),
        ([[0.5, 0.5], [0.5, 0.75]], "0.5 to 0.75, in sum 1.25"),
        ([[0.5, 0.5], [0.0, 0.0]], "0 to 0.5, in sum 0"),
    ],
)
def test_outputs_that_are_no_probabilities_are_refused(outputs, values):
    """The loss may be a function that takes logits, which does not show."""
    model = SimpleNamespace(loss=lambda *_: None)
    with pytest.raises(TunerError, match=re.escape(f"no probabilities ({values})")):
        probabilities(model, np.array(outputs))


@pytest.mark.parametrize("logit", [-1000.0, 1000.0])
def test_extreme_logits_become_probabilities_without_a_warning(logit):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    found = probabilities(SimpleNamespace(loss=loss), np.array([[logit]], np.float32))
    np.testing.assert_allclose(found[0, 1], logit > 0)


@pytest.mark.parametrize(
    ("direction", "value", "than", "better"),
    [
        ("max", 0.6, 0.5, True),
        ("max", 0.5, 0.5, False),
        ("min", 0.4, 0.5, True),
        ("min", 0.6, 0.5, False),
        ("max", 0.0, None, True),
        ("max", math.nan, None, False),
        ("max", math.inf, 0.5, False),
        ("min", -math.inf, 0.5, False),
    ],
)
def test_better_means_finite_and_further_in_the_direction(direction, value, than, better):
    assert Objective("score", direction).better(value, than) is better


def test_the_best_epoch_is_the_first_of_equals_and_never_one_without_a_number():
    """In Keras Tuner a NaN in the first epoch stays the best for ever."""
    history = tuple(Epoch({"score": value}, 1.0, 1.0, 1) for value in (math.nan, 0.5, 0.75, 0.75))
    assert Objective("score", "max").best_epoch(history) == 3
    assert Objective("score", "max").best_epoch(history[:1]) is None


def test_without_an_objective_nothing_is_evaluated_and_the_last_epoch_is_kept(dataset, tmp_path):
    everything = dataset.with_validation_in_training()
    done, events = run(tmp_path, frozen, everything, epochs=4, patience=1, objective=None)
    assert (done.epochs, done.stopped_early) == (4, False)
    assert all(set(epoch.epoch.metrics) == {"loss", "accuracy"} for epoch in epochs_of(events))
    images = len(dataset.splits["train"]) + len(dataset.splits["validation"])
    assert {epoch.epoch.images for epoch in epochs_of(events)} == {images}


def test_without_an_objective_training_in_two_parts_ends_with_the_same_last_weights(dataset, tmp_path):
    everything = dataset.with_validation_in_training()
    run(tmp_path / "parts", adam, everything, epochs=1, objective=None)
    run(tmp_path / "parts", adam, everything, epochs=2, objective=None)
    run(tmp_path / "once", adam, everything, epochs=2, objective=None)
    assert_same_state(tmp_path / "parts", tmp_path / "once")
    with np.load(tmp_path / "parts" / BEST_FILE) as best:
        np.testing.assert_array_equal(best["model_0"], state(tmp_path / "once")["model_0"])
