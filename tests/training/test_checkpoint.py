import shutil

import numpy as np
import pytest

from tests.training.models import assert_same_state, epochs_of, run, small, state
from tuner.errors import StorageError
from tuner.files import DRAFT_PREFIX
from tuner.training.checkpoint import (
    BEST_FILE,
    STATE_FILE,
    Epoch,
    load_best,
    read_history,
    restore_state,
    save,
    take_snapshot,
)

pytestmark = pytest.mark.training

HISTORY = (
    Epoch({"loss": 0.1, "val_loss": 1 / 3}, 2.5, 2 / 3, 50),
    Epoch({"loss": 0.05, "val_loss": 0.3}, 2.0, 1.0, 50),
)


def trainable(**options):
    """A model as it is after its first step: with an optimizer that has its variables."""
    model = small(**options)
    model.optimizer.build(model.trainable_variables)
    return model


def save_state(folder, model):
    save(folder, take_snapshot(model), lambda: (HISTORY, False))


def save_best(folder, model):
    save(folder, take_snapshot(model), lambda: (HISTORY, True))


def weights(model):
    return [variable.numpy() for variable in model.variables]


def assert_equal(first, second):
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_epochs_come_back_to_the_last_digit(tmp_path):
    save_state(tmp_path, trainable())
    assert restore_state(tmp_path, trainable()) == HISTORY
    assert read_history(tmp_path) == HISTORY


def test_weights_come_back(tmp_path):
    model, other = trainable(), trainable()
    save_state(tmp_path, model)
    restore_state(tmp_path, other)
    assert_equal(weights(model), weights(other))


def test_the_optimizer_comes_back(dataset, tmp_path):
    """Keras Tuner promotes into a fresh optimizer: iterations 0 and none of its moments."""
    run(tmp_path, lambda _: trainable(), dataset)
    model = trainable()
    restore_state(tmp_path, model)
    assert int(model.optimizer.iterations) > 0
    saved = state(tmp_path)
    for number, variable in enumerate(model.optimizer.variables):
        np.testing.assert_array_equal(variable.numpy(), saved[f"optimizer_{number}"])
    assert any(np.abs(variable.numpy()).max() > 0 for variable in model.optimizer.variables[2:])


def test_random_states_come_back(tmp_path):
    model, other = trainable(dropout=0.5), trainable(dropout=0.5)
    model(np.zeros((1, 8, 8, 3)), training=True)
    save_state(tmp_path, model)
    restore_state(tmp_path, other)
    seeds = [v.numpy() for v in model.variables if "seed" in v.path]
    assert seeds
    assert_equal(seeds, [v.numpy() for v in other.variables if "seed" in v.path])


def test_without_a_state_there_are_no_epochs(tmp_path):
    model = trainable()
    before = weights(model)
    assert restore_state(tmp_path, model) == ()
    assert_equal(weights(model), before)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_state_cut_short_is_none(tmp_path, share):
    save_state(tmp_path, trainable())
    path = tmp_path / STATE_FILE
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert restore_state(tmp_path, trainable()) == ()


@pytest.mark.parametrize("content", [b"garbage", b"PK\x03\x04garbage", b"\x80\x04garbage"])
def test_a_state_of_garbage_is_none(tmp_path, content):
    (tmp_path / STATE_FILE).write_bytes(content)
    assert restore_state(tmp_path, trainable()) == ()


def test_a_state_with_a_flipped_byte_is_none(tmp_path):
    save_state(tmp_path, trainable())
    content = bytearray((tmp_path / STATE_FILE).read_bytes())
    content[2000] ^= 0xFF
    (tmp_path / STATE_FILE).write_bytes(content)
    assert restore_state(tmp_path, trainable()) == ()


@pytest.mark.parametrize("missing", ["history", "model_0", "optimizer_3"])
def test_a_state_that_lacks_a_part_is_none(tmp_path, missing):
    save_state(tmp_path, trainable())
    arrays = state(tmp_path)
    del arrays[missing]
    np.savez(tmp_path / STATE_FILE, **arrays)
    model = trainable()
    before = weights(model)
    assert restore_state(tmp_path, model) == ()
    assert_equal(weights(model), before)


def test_a_trial_with_a_damaged_state_starts_anew(dataset, tmp_path):
    run(tmp_path / "sound", lambda _: trainable(), dataset, epochs=2)
    shutil.copytree(tmp_path / "sound", tmp_path / "damaged")
    (tmp_path / "damaged" / STATE_FILE).write_bytes(b"")
    _, events = run(tmp_path / "damaged", lambda _: trainable(), dataset, epochs=2)
    assert len(epochs_of(events)) == 2
    assert_same_state(tmp_path / "damaged", tmp_path / "sound")


def test_the_best_weights_come_back_without_the_optimizer(tmp_path):
    model, other = trainable(), trainable()
    save_best(tmp_path, model)
    load_best(tmp_path, other)
    assert_equal(weights(model), weights(other))
    with np.load(tmp_path / BEST_FILE) as saved:
        assert not [name for name in saved if name.startswith("optimizer")]


def test_missing_best_weights_are_an_error(tmp_path):
    with pytest.raises(StorageError, match=rf"cannot read '.*{BEST_FILE}'.*tuner doctor"):
        load_best(tmp_path, trainable())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing"], ids=["empty", "cut"])
def test_damaged_best_weights_are_an_error_and_leave_the_model_as_it_was(tmp_path, content):
    (tmp_path / BEST_FILE).write_bytes(content)
    model = trainable()
    before = weights(model)
    with pytest.raises(StorageError, match=BEST_FILE):
        load_best(tmp_path, model)
    assert_equal(weights(model), before)


def test_no_draft_is_left_behind(tmp_path):
    save_state(tmp_path, trainable())
    save_best(tmp_path, trainable())
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEST_FILE, STATE_FILE]


def test_a_draft_left_by_a_dead_process_is_not_read(tmp_path):
    save_state(tmp_path, trainable())
    (tmp_path / f"{DRAFT_PREFIX}{STATE_FILE}").write_bytes(b"half a state")
    assert restore_state(tmp_path, trainable()) == HISTORY


def test_an_epoch_that_is_never_judged_leaves_the_checkpoint_as_it_was(tmp_path):
    save_best(tmp_path, trainable())
    before = state(tmp_path)

    def judged():
        raise RuntimeError("the validation failed")

    with pytest.raises(RuntimeError):
        save(tmp_path, take_snapshot(trainable()), judged)
    assert read_history(tmp_path) == HISTORY
    assert all((before[name] == array).all() for name, array in state(tmp_path).items())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([BEST_FILE, STATE_FILE])
