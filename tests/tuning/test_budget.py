"""What a search may still spend does not depend on the clock of the day."""

import time

import pytest

from tuner.config import make_config
from tuner.tuning.budget import GRACE_S, Budget


@pytest.fixture
def clock(monkeypatch):
    """A clock that only this test moves, and one of the day that is far off."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.mark.parametrize("day", [-1e9, 0.0, 1e9])
def test_a_clock_that_is_set_changes_nothing(clock, monkeypatch, day):
    budget = Budget(make_config({"max_time": 100}), spent_s=30, spent_epochs=0)
    monkeypatch.setattr(time, "time", lambda: day)
    clock.now += 50
    assert (budget.spent_s, budget.left_s, budget.allows()) == (80, 20, True)
    assert budget.limit_s(0) == 20 + GRACE_S
    clock.now += 20
    assert (budget.allows(), budget.exceeded) == (False, "time")


def test_without_a_limit_time_never_runs_out(clock):
    budget = Budget(make_config({}), spent_s=30, spent_epochs=0)
    clock.now += 1e9
    assert (budget.left_s, budget.allows()) == (None, True)


def test_time_that_a_worker_has_used_up_is_over(clock):  # noqa: ARG001 - it stands still
    budget = Budget(make_config({"max_time": 100}), spent_s=0, spent_epochs=0)
    budget.end_time()
    assert (budget.allows(), budget.exceeded) == (False, "time")
