"""The pool of the tests that trains nothing."""

from dataclasses import replace

import pytest

from tests.pools import stub_pool
from tests.workers.pools import events, setup_for, task
from tuner.training.task import EpochDone, RungDone
from tuner.workers.protocol import FinishModel, Member, ModelDone

pytestmark = pytest.mark.training


@pytest.fixture
def stub(tmp_path, dataset):
    scores = stub_pool(lambda values, epoch: values["units"] / 10 + epoch / 100)
    with scores(setup_for(tmp_path, dataset), tmp_path / "worker.log") as pool:
        yield pool


def test_trials_have_the_scores_that_the_test_wants(stub, tmp_path):
    *epochs, rung = events(stub, task(tmp_path, epochs=2, units=8))
    assert all(isinstance(event, EpochDone) for event in epochs)
    assert [event.epoch.metrics["val_accuracy"] for event in epochs] == pytest.approx([0.81, 0.82])
    assert [event.epoch.metrics["val_loss"] for event in epochs] == pytest.approx([0.19, 0.18])
    assert isinstance(rung, RungDone)
    assert (rung.epochs, rung.num_params) == (2, 192 * 8 + 8 + 8 + 1)


def test_a_trial_goes_on_from_its_checkpoint_and_can_be_finished(stub, tmp_path, dataset):
    events(stub, task(tmp_path, epochs=1, units=8))
    *epochs, rung = events(stub, replace(task(tmp_path, epochs=3, units=8), epochs_reported=1))
    assert [event.number for event in epochs] == [2, 3]
    assert rung.epochs == 3
    done = stub.ask(FinishModel((Member({"units": 8}, tmp_path / "0001"),), "test"))
    assert isinstance(done, ModelDone)
    assert len(done.probabilities) == len(dataset.splits["test"])
