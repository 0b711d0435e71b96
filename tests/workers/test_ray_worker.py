"""The side of a cluster's worker that is on its node, without a cluster."""

import time

import numpy as np
import pytest

from tests.workers.pools import setup_for, task
from tuner.data.transport import content, found_here, pieces, receive
from tuner.errors import DataError
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone, RungDone, StepsDone
from tuner.workers.ray_worker import NeedsData, Outbox, RayWorker, RayWorkerSetup, Refused

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


def until(worker, kind):
    """What a worker tells of this kind, None where it tells none in time."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for told in worker.report(1).messages:
            if isinstance(told, kind | Refused):
                return told
    return None


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


def test_a_worker_that_does_not_reach_the_checkpoints_is_of_no_use(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.workers.ray_worker.MARK_S", 0.0)
    (tmp_path / "reachable").write_text("of another search")
    setup = RayWorkerSetup(
        setup_for(tmp_path, dataset), content(dataset), tmp_path / "reachable", "of this search", {}
    )
    worker = RayWorker(setup)
    refused = until(worker, Refused)
    assert f"cannot reach '{tmp_path}'" in refused.reason
    assert "--storage" in refused.reason


def test_a_request_that_comes_before_the_images_waits_for_them(elsewhere, tmp_path):
    there, expected, parts = elsewhere
    mark = tmp_path / "reachable"
    mark.write_text("of this search")
    setup = RayWorkerSetup(setup_for(tmp_path, there), expected, mark, "of this search", {})
    worker = RayWorker(setup)
    assert isinstance(until(worker, NeedsData), NeedsData)
    worker.submit(task(tmp_path, epochs=1))
    worker.take_data(parts)
    assert isinstance(until(worker, RungDone), RungDone)


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
