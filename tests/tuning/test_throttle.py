import pytest

from tuner.tuning import throttle
from tuner.tuning.throttle import EVERY_S, SHARE, Throttle


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now[0])
    return now


def after(work_s, clock):
    """A throttle after work that took so long."""
    found = Throttle()
    with found.measured():
        clock[0] += work_s
    return found


def test_work_is_due_at_first():
    assert Throttle().is_due()


def test_short_work_is_due_again_after_a_second(clock):
    found = after(0.001, clock)
    clock[0] += 0.9 * EVERY_S
    assert not found.is_due()
    clock[0] += 0.2 * EVERY_S
    assert found.is_due()


def test_long_work_takes_no_more_than_its_share(clock):
    found = after(10.0, clock)
    clock[0] += 0.99 * 10.0 / SHARE
    assert not found.is_due()
    clock[0] += 0.02 * 10.0 / SHARE
    assert found.is_due()


def test_work_that_failed_waits_as_well(clock):
    found = Throttle()
    clock[0] += 1.0
    with pytest.raises(OSError, match="full"), found.measured():
        raise OSError("full")
    assert not found.is_due()
