"""A bit that flips, or a file that ends early, is never read as another figure."""

import pytest

from tests.damage.flipping import damage_runs

pytestmark = [pytest.mark.training, pytest.mark.faults]


def test_a_damaged_file_is_refused_or_noted_and_what_doctor_says_of_it_is_true(tmp_path):
    tally = damage_runs(tmp_path, flips=30, truncations=10)
    assert tally.faults == 0, tally.table()
