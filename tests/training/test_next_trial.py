"""The next trial is built while another trains, and comes out as if it had not been."""

import threading
from functools import partial

import keras
import pytest

from tests.training.models import Hypermodel, assert_same_state, failure_of, run, small, task
from tuner.training.next_trial import NextTrial
from tuner.training.trial import build_trial

pytestmark = pytest.mark.training
on_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="others build nothing ahead"
)


class Recorded(Hypermodel):
    """Keeps whether it builds ahead, in another thread than that of the tests."""

    def __init__(self, build=lambda _: small(dropout=0.5)):
        super().__init__(build)
        self.ahead = []

    def build(self, hp):
        self.ahead.append(threading.current_thread() is not threading.main_thread())
        return super().build(hp)


@pytest.fixture
def hypermodel():
    return Recorded()


def next_trial(hypermodel, dataset, is_ready=lambda _: False):
    return NextTrial(partial(build_trial, hypermodel=hypermodel, dataset=dataset), is_ready)


def train_with_hint(folder, hypermodel, dataset, following, **hinted):
    """Train trial 0001, while 0002 is the one that probably comes next."""
    following.hint(task(folder / "0002", trial_id="0002", **hinted))
    run(folder / "0001", hypermodel, dataset, epochs=2, following=following)
    following.stop()


@on_tensorflow
def test_a_trial_built_ahead_comes_out_the_same_and_leaves_the_other_as_it_is(dataset, tmp_path, hypermodel):
    following = next_trial(hypermodel, dataset)
    train_with_hint(tmp_path, hypermodel, dataset, following, seed=2)
    # A hint knows neither how many epochs may be had in the end, nor how much time there is.
    later = {"epochs": 2, "left_s": 60.0}
    run(tmp_path / "0002", hypermodel, dataset, trial_id="0002", seed=2, following=following, **later)
    following.stop()
    assert hypermodel.ahead == [False, True]
    for trial_id, seed in (("0001", 1), ("0002", 2)):
        run(tmp_path / f"{trial_id} alone", hypermodel, dataset, epochs=2, seed=seed)
        assert_same_state(tmp_path / trial_id, tmp_path / f"{trial_id} alone")


@on_tensorflow
@pytest.mark.parametrize("changes", [{"batch_size": 8}, {"seed": 3}, {"values": {"units": 2}}], ids=str)
def test_what_is_asked_for_differently_is_built_again(dataset, tmp_path, hypermodel, changes):
    following = next_trial(hypermodel, dataset)
    train_with_hint(tmp_path, hypermodel, dataset, following)
    run(tmp_path / "0002", hypermodel, dataset, trial_id="0002", **changes, following=following)
    following.stop()
    run(tmp_path / "alone", hypermodel, dataset, **changes)
    assert hypermodel.ahead == [False, True, False, False]
    assert_same_state(tmp_path / "0002", tmp_path / "alone")


@on_tensorflow
def test_a_trial_whose_checkpoint_has_changed_is_built_again(dataset, tmp_path, hypermodel):
    following = next_trial(hypermodel, dataset)
    train_with_hint(tmp_path, hypermodel, dataset, following)
    run(tmp_path / "0002", hypermodel, dataset, trial_id="0002")
    run(tmp_path / "0002", hypermodel, dataset, trial_id="0002", epochs=2, following=following)
    following.stop()
    run(tmp_path / "alone", hypermodel, dataset, epochs=2)
    assert_same_state(tmp_path / "0002", tmp_path / "alone")


@on_tensorflow
def test_another_trial_that_comes_first_leaves_it_for_later(dataset, tmp_path, hypermodel):
    following = next_trial(hypermodel, dataset)
    train_with_hint(tmp_path, hypermodel, dataset, following)
    for trial_id in ("0003", "0002"):
        run(tmp_path / trial_id, hypermodel, dataset, trial_id=trial_id, following=following)
        following.stop()
    assert hypermodel.ahead == [False, True, False]


@on_tensorflow
def test_a_trial_that_is_ready_is_not_built(dataset, tmp_path, hypermodel):
    following = next_trial(hypermodel, dataset, is_ready={"0002"}.__contains__)
    train_with_hint(tmp_path, hypermodel, dataset, following)
    assert hypermodel.ahead == [False]


@on_tensorflow
@pytest.mark.parametrize("error", [ValueError("no such layer"), SystemExit("enough")], ids=repr)
def test_a_build_that_fails_ahead_fails_when_it_is_asked_for(dataset, tmp_path, error):
    def build(hp):
        if hp.values:
            raise error
        return small()

    hypermodel = Recorded(build)
    following = next_trial(hypermodel, dataset)
    train_with_hint(tmp_path, hypermodel, dataset, following, values={"units": 2})
    asked = {"trial_id": "0002", "values": {"units": 2}, "following": following}
    if isinstance(error, SystemExit):
        with pytest.raises(SystemExit):
            run(tmp_path / "0002", hypermodel, dataset, **asked)
    else:
        assert failure_of(hypermodel, dataset, tmp_path / "0002", **asked).reason == "build"
    assert hypermodel.ahead == [False, True, False]


def test_nothing_is_built_beside_steps_that_share_state_with_other_models(dataset, tmp_path):
    def build(_):
        model = small()
        model.run_eagerly = True
        return model

    hypermodel = Recorded(build)
    following = next_trial(hypermodel, dataset)
    train_with_hint(tmp_path, hypermodel, dataset, following)
    assert hypermodel.ahead == [False]
