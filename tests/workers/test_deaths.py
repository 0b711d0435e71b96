"""How worker processes die, and what becomes of their trials."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import write_npz
from tests.workers.pools import SPACE, answer, events, gone, setup_for, task, worker_pid
from tuner.errors import TunerError
from tuner.training.checkpoint import STATE_FILE, read_history
from tuner.training.task import EpochDone, RungDone
from tuner.workers.local import LocalPool
from tuner.workers.protocol import Failure, Lost, Ready

pytestmark = [pytest.mark.training, pytest.mark.faults]

WAIT_S = 60


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_the_trial_of_a_worker_killed_from_outside_can_go_on_in_a_new_one(pool, folder, number):
    """A dead Keras Tuner worker leaves its trial running for ever, and the chief never ends."""
    pid = worker_pid()
    pool.submit(0, task(folder, "0006", epochs=10**6))
    while not isinstance(pool.next_event()[1], EpochDone):
        pass
    os.kill(pid, number)
    lost = answer(pool)
    assert isinstance(lost, Lost)
    assert lost.trial_id == "0006"
    assert number.name in lost.message
    assert (folder / "0006" / STATE_FILE).exists()
    assert isinstance(events(pool, task(folder, "0007"))[-1], RungDone)
    assert worker_pid() != pid


def test_a_worker_that_crashes_by_itself_fails_its_trial_with_its_output(pool, folder):
    pool.submit(0, task(folder, "0020", segfault=True))
    event = answer(pool)
    assert isinstance(event, Failure)
    assert (event.trial_id, event.reason) == ("0020", "crash")
    assert "SIGSEGV" in event.message
    assert "printed by the space" in event.traceback


def test_a_build_ahead_that_crashes_fails_its_own_trial_and_no_other(tmp_path, dataset):
    with LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log") as pool:
        assert pool.looks_ahead
        pool.submit(0, task(tmp_path, "0024", epochs=10**6))
        pool.look_ahead(0, task(tmp_path, "0025", segfault=True))
        lost = answer(pool)
        assert isinstance(lost, Lost)
        assert lost.trial_id == "0024"
        # From now on each trial has the process for itself, and is to blame for its end.
        assert not pool.looks_ahead
        pool.submit(0, task(tmp_path, "0024", epochs=len(read_history(tmp_path / "0024")) + 1))
        assert isinstance(answer(pool), RungDone)
        pool.submit(0, task(tmp_path, "0025", segfault=True))
        failed = answer(pool)
    assert isinstance(failed, Failure)
    assert (failed.trial_id, failed.reason) == ("0025", "crash")


def test_a_worker_that_hangs_is_killed_at_its_limit(pool, folder):
    pool.device()
    pool.submit(0, task(folder, "0021", hangs=True), limit_s=0.5)
    event = answer(pool)
    assert isinstance(event, Failure)
    assert (event.trial_id, event.reason) == ("0021", "timeout")
    assert isinstance(events(pool, task(folder, "0022"))[-1], RungDone)


def test_the_limit_does_not_count_while_a_worker_starts(tmp_path, dataset):
    with LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log") as pool:
        pool.submit(0, task(tmp_path, "0001", hangs=True), limit_s=0.5)
        while not isinstance(event := pool.next_event()[1], Ready):
            assert not isinstance(event, Failure)
        assert answer(pool).reason == "timeout"


def test_a_worker_that_takes_more_memory_than_it_may_is_out_of_memory(tmp_path, dataset):
    with LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log", memory_mib=1500) as pool:
        pool.device()
        pool.submit(0, task(tmp_path, "0001", hoarded_mib=1500))
        event = answer(pool)
        assert isinstance(event, Failure)
        assert (event.trial_id, event.reason) == ("0001", "oom")
        assert "1,500" in event.message
        assert isinstance(events(pool, task(tmp_path, "0002"))[-1], RungDone)


def test_an_allocation_that_fails_is_out_of_memory_and_wears_the_worker_out(pool, folder):
    pool.device()
    pid = worker_pid()
    event = pool.ask(task(folder, "0023", memory_error=True))
    assert isinstance(event, Failure)
    assert event.reason == "oom"
    assert isinstance(events(pool, task(folder, "0024"))[-1], RungDone)
    assert worker_pid() != pid


def test_a_worker_that_has_grown_is_replaced_before_its_next_trial(pool, folder, monkeypatch):
    events(pool, task(folder, "0008"))
    before = worker_pid()
    monkeypatch.setattr("tuner.workers.worker_state.MAX_GROWTH_MIB", 0)
    assert isinstance(events(pool, task(folder, "0009"))[-1], RungDone)
    assert gone(before)
    assert worker_pid() != before


def test_a_worker_that_cannot_even_start_ends_the_search_with_its_log(tmp_path, dataset):
    others = set(multiprocessing.active_children())
    with LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log") as pool:

        def kill_each():
            while True:
                for started in set(multiprocessing.active_children()) - others:
                    started.kill()
                pool.next_event(timeout=0.01)

        with pytest.raises(TunerError, match=r"3 .*SIGKILL.*worker\.log"):
            kill_each()


def test_a_worker_killed_while_it_starts_is_replaced(tmp_path, dataset):
    others = set(multiprocessing.active_children())
    with LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log") as pool:
        (started,) = set(multiprocessing.active_children()) - others
        pool.submit(0, task(tmp_path))
        started.kill()
        assert answer(pool).trial_id == "0001"
        assert isinstance(events(pool, task(tmp_path))[-1], RungDone)


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
