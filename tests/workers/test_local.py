"""Real worker processes. Loading the backend takes seconds, so most tests share one pool."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from search_spaces import DataSpec
from tests.conftest import write_npz
from tuner.errors import TunerError
from tuner.search.hypermodel import SpaceHyperModel
from tuner.training.checkpoint import STATE_FILE
from tuner.training.trial import EpochDone, Objective, RungDone, StepsDone, TrainTask
from tuner.workers.local import LocalPool
from tuner.workers.protocol import Describe, Description, Failure, FinishWinner, WinnerDone, WorkerSetup

pytestmark = [pytest.mark.training, pytest.mark.faults]

SPACE = """
import keras
from keras import layers


def build(hp, spec):
    print("printed by the space")
    if hp.Boolean("broken"):
        return fail()
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(hp.Int("units", 1, 8, default=4), activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(hp.Choice("optimizer", ["adam", "sgd"]), "binary_crossentropy", metrics=["accuracy"])
    return model


def fail():
    raise RuntimeError("broken by its author")
"""
RAISES_AT_IMPORT = "def half():\n    raise RuntimeError('not even imported')\n\n\nhalf()\n"
WAIT_S = 60


def setup_for(folder, dataset, source=SPACE):
    path = folder / "my_space.py"
    path.write_text(source)
    return WorkerSetup(SpaceHyperModel(str(path), DataSpec(dataset.image_shape, 2)), dataset)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def log(folder):
    return folder / "worker.log"


@pytest.fixture(scope="module")
def pool(folder, log, dataset):
    with LocalPool(setup_for(folder, dataset), log) as pool:
        yield pool


def task(folder, trial_id="0001", epochs=1, **values):
    objective = Objective("val_loss", "min")
    return TrainTask(trial_id, values, 0, epochs, 16, 0, objective, 1, folder / trial_id)


def events(pool, request):
    """All events of a request, the answer last."""
    pool.submit(0, request)
    found = []
    while 0 not in pool.idle():
        number, event = pool.next_event()
        assert number == 0
        found.append(event)
    return found


def worker_pid():
    (child,) = multiprocessing.active_children()
    return child.pid


def gone(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_a_worker_says_where_it_computes_and_with_which_versions(pool):
    ready = pool.device()
    assert ready.device.startswith(("CPU, ", "GPU "))
    assert {"keras", "keras-tuner", "numpy"} <= ready.versions.keys()


def test_a_worker_describes_the_space(pool):
    found = pool.ask(Describe())
    assert isinstance(found, Description)
    assert [p["config"]["name"] for p in found.hyperparameters["space"]] == ["broken", "units", "optimizer"]
    assert found.metrics == ("loss", "accuracy", "val_loss", "val_accuracy")
    assert found.num_params == 192 * 4 + 4 + 4 + 1


def test_a_worker_trains_a_trial_and_reports_on_the_way(pool, folder):
    found = events(pool, task(folder, "0001", epochs=2, units=8))
    kinds = [type(event) for event in found]
    assert kinds.count(EpochDone) == 2
    assert StepsDone in kinds
    assert kinds[-1] is RungDone
    assert found[-1].num_params == 192 * 8 + 8 + 8 + 1


def test_a_worker_finishes_the_winner(pool, folder, dataset):
    events(pool, task(folder, "0002"))
    model = folder / "best" / "model.keras"
    found = pool.ask(FinishWinner({}, folder / "0002", model, "test"))
    assert isinstance(found, WinnerDone)
    assert found.probabilities.shape == (len(dataset.splits["test"]), 2)
    assert [path.name for path in model.parent.iterdir()] == ["model.keras"]


def test_what_a_space_prints_goes_to_the_log_and_not_to_stdout(pool, log, capfd):
    pool.ask(Describe())
    assert capfd.readouterr() == ("", "")
    assert "printed by the space" in log.read_text()


def test_a_space_that_raises_is_traced_from_its_own_file_on(pool, folder):
    found = pool.ask(task(folder, "0003", broken=True))
    assert isinstance(found, Failure)
    assert (found.trial_id, found.reason) == ("0003", "build")
    assert "RuntimeError: broken by its author" in found.message
    first, frame, *_ = found.traceback.splitlines()
    assert first == "Traceback (most recent call last):"
    assert frame.startswith(f'  File "{folder / "my_space.py"}"')
    assert "in fail" in found.traceback


def test_a_worker_goes_on_after_a_trial_that_failed(pool, folder):
    pid = worker_pid()
    pool.ask(task(folder, "0003", broken=True))
    assert isinstance(events(pool, task(folder, "0004"))[-1], RungDone)
    assert worker_pid() == pid


def test_nothing_to_tell_is_none_when_the_time_is_over(pool):
    pool.device()
    assert pool.next_event(timeout=0.01) is None


def test_ctrl_c_is_left_to_the_driver(pool, folder):
    pid = worker_pid()
    os.kill(pid, signal.SIGINT)
    assert isinstance(events(pool, task(folder, "0005"))[-1], RungDone)
    assert worker_pid() == pid


def test_the_trial_of_a_killed_worker_comes_back_as_crashed_and_a_new_worker_goes_on(pool, folder):
    """A dead Keras Tuner worker leaves its trial running for ever, and the chief never ends."""
    pid = worker_pid()
    pool.submit(0, task(folder, "0006", epochs=10**6))
    while not isinstance(pool.next_event()[1], EpochDone):
        pass
    os.kill(pid, signal.SIGKILL)
    event = None
    while not isinstance(event, Failure):
        event = pool.next_event()[1]
    assert (event.trial_id, event.reason) == ("0006", "crash")
    assert event.message == "the worker process was killed by SIGKILL"
    assert (folder / "0006" / STATE_FILE).exists()
    assert isinstance(events(pool, task(folder, "0007"))[-1], RungDone)
    assert worker_pid() != pid


def test_a_worker_that_has_grown_is_replaced_before_its_next_trial(pool, folder, monkeypatch):
    events(pool, task(folder, "0008"))
    before = worker_pid()
    monkeypatch.setattr("tuner.workers.local.MAX_GROWTH_MIB", 0)
    assert isinstance(events(pool, task(folder, "0009"))[-1], RungDone)
    assert gone(before)
    assert worker_pid() != before


def test_a_space_that_cannot_be_imported_is_traced_from_its_own_file_on(tmp_path, dataset):
    """No process needed: the inside of a worker answers here."""
    from tuner.workers.serve import Server

    setup = setup_for(tmp_path, dataset, RAISES_AT_IMPORT)
    found = Server(setup).answer(Describe(), lambda _: None)
    assert isinstance(found, Failure)
    assert (found.reason, "not even imported" in found.message) == ("build", True)
    assert found.traceback.splitlines()[1].startswith(f'  File "{tmp_path / "my_space.py"}"')


def test_a_space_that_is_nowhere_is_a_failure_without_a_traceback(dataset):
    from tuner.workers.serve import Server

    setup = WorkerSetup(SpaceHyperModel("sequentail", DataSpec(dataset.image_shape, 2)), dataset)
    found = Server(setup).answer(Describe(), lambda _: None)
    assert isinstance(found, Failure)
    assert "Did you mean 'sequential'?" in found.message
    assert found.traceback == ""


def test_a_worker_that_cannot_even_start_ends_the_search_with_its_log(tmp_path, dataset):
    others = set(multiprocessing.active_children())
    pool = LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log")
    (started,) = set(multiprocessing.active_children()) - others
    started.kill()
    with pytest.raises(TunerError, match=r"killed by SIGKILL while it started.*worker\.log"):
        pool.device()
    pool.close()


def test_no_worker_outlives_its_driver(tmp_path):
    """Nor does it go on training for nobody when the driver was killed without a word."""
    space, data = tmp_path / "my_space.py", write_npz(tmp_path / "two.npz", ("FAKE", "REAL"), 60)
    space.write_text(SPACE)
    script = Path(__file__).with_name("drive.py")
    command = [sys.executable, str(script), str(space), str(data), str(tmp_path / "worker.log")]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
    assert driver.stdout is not None
    worker = int(driver.stdout.readline())
    assert not gone(worker)
    driver.kill()
    driver.wait()
    driver.stdout.close()
    until = time.monotonic() + WAIT_S
    while not gone(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert gone(worker)
