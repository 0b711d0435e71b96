"""Nothing a kill does to a search loses a finished trial, repeats finished work, or changes the outcome."""

import pytest

from tests.faults.killing import kill_searches

pytestmark = [pytest.mark.training, pytest.mark.faults]


def test_a_search_killed_at_random_moments_ends_like_one_that_was_not(tmp_path):
    """Keras Tuner's files are cut short by a kill, and its trials begin again at epoch 0."""
    tally = kill_searches(tmp_path, kills=4, trials=9)
    assert tally.kills.total() == 4
    assert tally.faults == 0, tally.table()
