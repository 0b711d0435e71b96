import threading

import pytest

from tuner.training.checkpoint_writer import CheckpointWriter


def test_a_job_runs_while_the_caller_goes_on():
    release, done = threading.Event(), []
    with CheckpointWriter() as writer:
        writer.submit(lambda: done.append(release.wait(60)))
        assert done == []
        release.set()
    assert done == [True]


def test_jobs_run_one_after_the_other():
    order = []
    with CheckpointWriter() as writer:
        for number in range(5):
            writer.submit(lambda number=number: order.append(number))
    assert order == [0, 1, 2, 3, 4]


def full():
    raise OSError("disk full")


def test_what_a_job_raises_is_raised_by_the_next_call():
    with CheckpointWriter() as writer:
        writer.submit(full)
        with pytest.raises(OSError, match="disk full"):
            writer.submit(lambda: None)


def test_what_the_last_job_raises_is_raised_at_the_end():
    with pytest.raises(OSError, match="disk full"), CheckpointWriter() as writer:
        writer.submit(full)
