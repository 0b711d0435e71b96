"""The life of real worker processes."""

import io
import os
import signal
import zipfile
from dataclasses import replace

import pytest

from search_spaces import DataSpec
from tests.pools import InlinePool
from tests.workers.pools import events, setup_for, task, worker_pid
from tuner.search.hypermodel import SpaceHyperModel
from tuner.training.task import EpochDone, RungDone, StepsDone
from tuner.workers.local import LocalPool
from tuner.workers.protocol import (
    Describe,
    Description,
    Failure,
    FinishModel,
    Halt,
    Member,
    ModelDone,
    WorkerSetup,
)

DESCRIBE = Describe("auto", "auto", batch_size=16, images=100, trials=1)

pytestmark = pytest.mark.training

RAISES_AT_IMPORT = "def half():\n    raise RuntimeError('not even imported')\n\n\nhalf()\n"


@pytest.mark.process
def test_a_worker_says_where_it_computes_and_with_which_versions(pool):
    ready = pool.device()
    assert ready.device.startswith(("CPU, ", "GPU "))
    assert {"keras", "keras-tuner", "numpy"} <= ready.versions.keys()


@pytest.mark.process
def test_a_worker_describes_the_space(pool):
    found = pool.ask(DESCRIBE)
    assert isinstance(found, Description)
    names = [p["config"]["name"] for p in found.hyperparameters["space"]]
    assert (names[0], names[-2:]) == ("broken", ["units", "optimizer"])
    assert found.metrics == ("loss", "accuracy", "val_loss", "val_accuracy")
    assert found.num_params == 192 * 4 + 4 + 4 + 1


@pytest.mark.process
def test_a_worker_trains_a_trial_and_reports_on_the_way(pool, folder):
    found = events(pool, task(folder, "0001", epochs=2, units=8))
    kinds = [type(event) for event in found]
    assert kinds.count(EpochDone) == 2
    assert StepsDone in kinds
    assert kinds[-1] is RungDone
    assert found[-1].num_params == 192 * 8 + 8 + 8 + 1


@pytest.mark.process
def test_a_worker_finishes_the_winner(pool, folder, dataset):
    events(pool, task(folder, "0002"))
    found = pool.ask(FinishModel((Member({}, folder / "0002"),), "test"))
    assert isinstance(found, ModelDone)
    assert found.probabilities.shape == (len(dataset.splits["test"]), 2)
    assert zipfile.is_zipfile(io.BytesIO(found.model))


@pytest.mark.process
def test_what_a_space_prints_goes_to_the_log_and_not_to_stdout(pool, log, capfd):
    pool.ask(DESCRIBE)
    assert capfd.readouterr() == ("", "")
    assert "printed by the space" in log.read_text()


@pytest.mark.process
def test_a_space_that_raises_is_traced_from_its_own_file_on(pool, folder):
    found = pool.ask(task(folder, "0003", broken=True))
    assert isinstance(found, Failure)
    assert (found.trial_id, found.reason) == ("0003", "build")
    assert "RuntimeError: broken by its author" in found.message
    first, frame, *_ = found.traceback.splitlines()
    assert first == "Traceback (most recent call last):"
    assert frame.startswith(f'  File "{folder / "my_space.py"}"')
    assert "in fail" in found.traceback


@pytest.mark.process
def test_a_space_that_exits_fails_and_says_what_it_did(pool, folder):
    found = pool.ask(task(folder, "0005", exits=True))
    assert isinstance(found, Failure)
    assert found.reason == "crash"
    assert "SystemExit: enough" in found.message


@pytest.mark.process
def test_a_worker_goes_on_after_a_trial_that_failed(pool, folder):
    pid = worker_pid()
    pool.ask(task(folder, "0003", broken=True))
    assert isinstance(events(pool, task(folder, "0004"))[-1], RungDone)
    assert worker_pid() == pid


@pytest.mark.process
def test_nothing_to_tell_is_none_when_the_time_is_over(pool):
    pool.device()
    assert pool.next_event(timeout=0.01) is None


@pytest.mark.process
def test_ctrl_c_is_left_to_the_driver(pool, folder):
    pid = worker_pid()
    os.kill(pid, signal.SIGINT)
    assert isinstance(events(pool, task(folder, "0005"))[-1], RungDone)
    assert worker_pid() == pid


@pytest.mark.process
def test_a_checkpoint_that_cannot_be_written_is_no_fault_of_the_trial(pool, folder):
    (folder / "file").write_text("in the way of a folder")
    event = events(pool, task(folder, "file"))[-1]
    assert isinstance(event, Halt)
    assert str(folder / "file") in event.message


@pytest.mark.process
def test_workers_share_the_machine_and_train_at_the_same_time(tmp_path, dataset):
    with LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log", size=2) as pool:
        assert pool.idle() == [0, 1]
        for number in pool.idle():
            pool.submit(number, task(tmp_path, f"000{number}", epochs=10**6))
        trained = set()
        while trained != {"0000", "0001"}:
            event = pool.next_event()[1]
            trained |= {event.trial_id} if isinstance(event, EpochDone) else set()


def test_a_space_that_cannot_be_imported_is_traced_from_its_own_file_on(tmp_path, dataset):
    """No process needed: the inside of a worker answers here."""
    from tuner.workers.serve import Server

    setup = setup_for(tmp_path, dataset, RAISES_AT_IMPORT)
    found = Server(setup).answer(DESCRIBE, lambda _: None)
    assert isinstance(found, Failure)
    assert (found.reason, "not even imported" in found.message) == ("build", True)
    assert found.traceback.splitlines()[1].startswith(f'  File "{tmp_path / "my_space.py"}"')


SHORT_OF_MEMORY = """
import keras

builds = []


def build(hp, spec):
    builds.append(hp)
    if len(builds) == WHICH:
        raise MemoryError("others have it")
    model = keras.Sequential([keras.Input(spec.image_shape), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    return model
"""


def test_a_trial_that_lacks_the_memory_of_those_kept_for_promotion_gets_it(tmp_path, dataset):
    from tuner.workers.serve import Server

    server = Server(setup_for(tmp_path, dataset, SHORT_OF_MEMORY.replace("WHICH", "2")))
    emitted = []
    for trial_id in ("0001", "0002"):
        assert isinstance(server.answer(task(tmp_path, trial_id), emitted.append), RungDone)
    epochs = [(event.trial_id, event.number) for event in emitted if isinstance(event, EpochDone)]
    assert epochs == [("0001", 1), ("0002", 1)]


def test_a_trial_that_is_alone_and_lacks_memory_has_failed(tmp_path, dataset):
    from tuner.workers.serve import Server

    server = Server(setup_for(tmp_path, dataset, SHORT_OF_MEMORY.replace("WHICH", "1")))
    found = server.answer(task(tmp_path), lambda _: None)
    assert isinstance(found, Failure)
    assert found.reason == "oom"


def test_a_space_that_is_nowhere_is_a_failure_without_a_traceback(dataset):
    from tuner.workers.serve import Server

    setup = WorkerSetup(SpaceHyperModel("sequentail", DataSpec(dataset.image_shape, 2)), dataset)
    found = Server(setup).answer(DESCRIBE, lambda _: None)
    assert isinstance(found, Failure)
    assert "'sequential'" in found.message
    assert found.traceback == ""


@pytest.mark.process
def test_the_pool_of_the_tests_tells_what_one_of_processes_tells(pool, folder, tmp_path, dataset):
    """Same events, same figures: what is tested in the test's own process holds for users."""
    asked = [task(tmp_path, "0001", epochs=2, units=5), task(tmp_path, "0002", broken=True)]
    with InlinePool(setup_for(tmp_path, dataset), tmp_path / "worker.log") as inline:
        here = [_figures(event) for request in asked for event in told(inline, request)]
        described = inline.ask(DESCRIBE)
    real = [replace(request, checkpoint_dir=folder / f"real-{request.trial_id}") for request in asked]
    there = [_figures(event) for request in real for event in told(pool, request)]
    assert here == there
    assert len(here) == 4
    # The code of the tests is loaded here, and is part of this process's hash.
    assert replace(described, code="") == replace(pool.ask(DESCRIBE), code="")


def told(pool, request):
    return [event for event in events(pool, request) if not isinstance(event, StepsDone)]


def _figures(event):
    """An event without what a clock says; nothing of the steps, whose number depends on it."""
    if isinstance(event, EpochDone):
        return event.trial_id, event.number, event.epoch.metrics
    if isinstance(event, Failure):
        return event.trial_id, event.reason, event.message
    return replace(event, overhead_s=0.0)
