import itertools

import pytest

from tuner.results import timings
from tuner.results.timings import Stopwatch


@pytest.fixture
def one_second_a_look(monkeypatch):
    """A clock that goes on by a second each time it is looked at."""
    ticks = itertools.count(100.0)
    monkeypatch.setattr(timings.time, "perf_counter", lambda: next(ticks))


pytestmark = pytest.mark.usefixtures("one_second_a_look")


def timed(store):
    """Record steps of two seconds and of one."""
    stopwatch = Stopwatch()
    _ = stopwatch.elapsed_s
    stopwatch.end("preparation_s")
    stopwatch.end("loading_s")
    stopwatch.record(store)


def test_each_step_lasts_from_the_end_of_the_one_before(store):
    timed(store)
    assert store.run()["timings"] == {"preparation_s": 2.0, "loading_s": 1.0}


def test_a_run_that_goes_on_adds_to_its_times(store):
    timed(store)
    timed(store)
    assert store.run()["timings"] == {"preparation_s": 4.0, "loading_s": 2.0}


def test_the_time_since_the_beginning_has_all_steps_in_it():
    stopwatch = Stopwatch()
    stopwatch.end("preparation_s")
    assert stopwatch.elapsed_s == 2.0
