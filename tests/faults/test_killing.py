"""Nothing a kill does to a search loses a finished trial, repeats finished work, or changes the outcome."""

import pytest

from tests.faults.killing import kill_searches

pytestmark = [pytest.mark.training, pytest.mark.faults]

# By this seed the search is interrupted, then all of it is killed, then a worker, each time half a second
# after it has begun to train at most: before it ends, which would take another search to go on with.
HITS = 1955


def test_a_search_killed_at_random_moments_ends_like_one_that_was_not(tmp_path):
    """Keras Tuner's files are cut short by a kill, and its trials begin again at epoch 0."""
    tally = kill_searches(tmp_path, kills=3, seed=HITS, trials=8)
    assert tally.kills.total() == 3
    assert tally.faults == 0, tally.table()
