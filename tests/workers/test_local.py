"""The life of real worker processes."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.workers.pools import DESCRIBE, events, setup_for, task, worker_pid
from tuner.training.task import EpochDone, LateHyperparameters, RungDone, StepsDone
from tuner.workers.local import LocalPool
from tuner.workers.protocol import Failure, FinishModel, Member

pytestmark = [pytest.mark.training, pytest.mark.process]


def test_what_a_space_prints_goes_to_the_log_and_not_to_stdout(pool, log, capfd):
    pool.ask(DESCRIBE)
    assert capfd.readouterr() == ("", "")
    assert "printed by the space" in log.read_text()


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


def test_workers_share_the_machine_and_train_at_the_same_time(tmp_path, dataset):
    with LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log", size=2) as pool:
        assert pool.idle() == [0, 1]
        for number in pool.idle():
            pool.submit(number, task(tmp_path, f"000{number}", epochs=10**6))
        trained = set()
        while trained != {"0000", "0001"}:
            event = pool.next_event()[1]
            trained |= {event.trial_id} if isinstance(event, EpochDone) else set()


def test_a_process_answers_what_the_pool_of_the_tests_answers(pool, inline, folder):
    """Same events, same figures: what is tested in the test's own process holds for users."""
    assert [*inline.device().versions.items()] == [*pool.device().versions.items()]
    # The code of the tests is loaded here, and is part of this process's hash.
    assert replace(inline.ask(DESCRIBE), code="") == replace(pool.ask(DESCRIBE), code="")
    asked = [("1", {"units": 5}), ("2", {"broken": True}), ("3", {"exits": True})]
    here, there = (
        [
            _figures(event)
            for number, values in asked
            for event in events(workers, task(folder, f"{name}-{number}", epochs=2, **values))
            if not isinstance(event, StepsDone | LateHyperparameters)
        ]
        for name, workers in (("inline", inline), ("real", pool))
    )
    assert here == there
    assert len(here) == 5
    done, expected = (
        workers.ask(FinishModel((Member({"units": 5}, folder / f"{name}-1"),), "test"))
        for name, workers in (("real", pool), ("inline", inline))
    )
    assert done.probabilities.tolist() == expected.probabilities.tolist()


def _figures(event):
    """An event without the name of its trial and what a clock says."""
    if isinstance(event, EpochDone):
        return event.number, event.epoch.metrics
    if isinstance(event, Failure):
        return event.reason, event.message, event.traceback.splitlines()[-1]
    return replace(event, overhead_s=0.0, trial_id="")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no such device")
def test_a_log_on_a_full_disk_is_the_fault_of_no_trial(tmp_path, dataset):
    pool = LocalPool(setup_for(tmp_path, dataset), Path("/dev/full"))
    try:
        assert isinstance(events(pool, task(tmp_path))[-1], RungDone)
    finally:
        pool.close()
