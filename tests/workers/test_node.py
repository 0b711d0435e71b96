"""The side of a cluster's worker that is on its node, without a cluster."""

import time

import numpy as np
import pytest

from tests.workers.pools import setup_for
from tuner.data.transport import content, found_here, pieces, receive
from tuner.errors import DataError
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone, StepsDone
from tuner.workers.node import NodeSetup, NodeWorker, Outbox, Placed, Refused

EPOCH = EpochDone("0001", 0, 1, Epoch({"loss": 1.0}, 1.0, 1.0, 10))


def steps(done):
    return StepsDone("0001", 1, done, 100)


@pytest.fixture
def elsewhere(dataset, tmp_path, monkeypatch):
    """The data set, met on a machine that has none of its files."""
    parts = {}
    for name, piece in pieces(dataset):
        parts.setdefault(name, []).append(lambda piece=piece: np.array(piece))
    expected = content(dataset)
    monkeypatch.setenv("TUNER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("tuner.data.transport.PIECE_MIB", 1)
    return dataset.__class__(**{**dataset.__getstate__(), "cache_dir": tmp_path / "gone"}), expected, parts


def test_only_the_last_steps_are_told():
    outbox = Outbox()
    outbox.put(steps(10))
    outbox.put(steps(20))
    assert outbox.take(0.01) == (steps(20),)
    assert outbox.take(0.01) == ()


def test_steps_of_an_epoch_that_is_over_are_not_told():
    outbox = Outbox()
    outbox.put(steps(10))
    outbox.put(EPOCH)
    outbox.put(steps(20))
    assert outbox.take(10) == (EPOCH, steps(20))


def test_a_worker_that_does_not_reach_the_checkpoints_is_of_no_use(dataset, tmp_path):
    (tmp_path / "reachable").write_text("of another search")
    setup = NodeSetup(
        setup_for(tmp_path, dataset), content(dataset), tmp_path / "reachable", "of this search", {}, 0.0
    )
    worker = NodeWorker(setup)
    told = list(worker.report(10).told)
    end = time.monotonic() + 10
    while len(told) < 2 and time.monotonic() < end:
        told += worker.report(1).told
    assert isinstance(told[0], Placed)
    assert isinstance(told[1], Refused)
    assert f"cannot reach '{tmp_path}'" in told[1].reason
    assert "--storage" in told[1].reason


def test_images_arrive_whole_and_are_found_again(dataset, elsewhere):
    there, expected, parts = elsewhere
    assert found_here(there, expected) is None
    arrived = receive(there, expected, parts)
    np.testing.assert_array_equal(arrived.images, dataset.images)
    np.testing.assert_array_equal(arrived.labels, dataset.labels)
    assert arrived.paths == dataset.paths
    assert found_here(there, expected) == arrived
    # A second worker of the node takes what is there.
    assert receive(there, expected, {}) == arrived


def test_images_that_are_not_those_sent_are_refused(elsewhere, tmp_path):
    there, expected, parts = elsewhere
    (get,) = parts["images.npy"]
    changed = get()
    changed[-5] ^= 1
    parts["images.npy"] = [lambda: changed]
    with pytest.raises(DataError, match=f"not {expected}"):
        receive(there, expected, parts)
    assert not list((tmp_path / "cache").glob("received-*/*"))
