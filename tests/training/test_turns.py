"""A function that runs in turns with its caller."""

import gc
import weakref

import pytest

from tuner.training.turns import Stopped, Turns


def test_either_runs_and_never_both():
    said = []

    def function():
        said.append("theirs 1")
        turns.pause()
        said.append("theirs 2")

    turns = Turns(function)
    for number in (1, 2):
        said.append(f"ours {number}")
        turns.resume()
        assert turns.over == (number == 2)
    assert said == ["ours 1", "theirs 1", "ours 2", "theirs 2"]
    turns.resume()  # there is nothing left to do
    assert len(said) == 4


def test_its_error_is_raised_by_its_caller():
    def function():
        raise KeyError("theirs")

    turns = Turns(function)
    with pytest.raises(KeyError, match="theirs"):
        turns.resume()
    assert turns.over


def test_the_end_waits_until_the_function_has_cleaned_up():
    said = []

    def function():
        try:
            turns.pause()
        except Exception:
            said.append("kept on")
        finally:
            said.append("cleaned up")

    turns = Turns(function)
    turns.resume()
    turns.end()
    assert said == ["cleaned up"]


def test_a_function_that_is_not_paused_ends_at_its_next_check():
    def function():
        turns.stop()
        turns.check()
        raise AssertionError

    turns = Turns(function)
    turns.resume()
    assert turns.over
    with pytest.raises(Stopped):
        turns.check()


def test_one_that_never_began_is_forgotten():
    turns = Turns(lambda: None)
    turns.end()
    gone = weakref.ref(turns)
    del turns
    gc.collect()
    assert gone() is None
