"""Counts as people write them; times and sizes are tested where they are read, in test_config."""

import pytest

from tuner.units import counted, listed


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials"), (1000, "1,000 trials")]
)
def test_a_noun_is_in_the_plural_but_for_one(number: int, said: str) -> None:
    assert counted(number, "trial") == said


def test_of_many_names_a_few_are_listed_with_the_number_of_the_others() -> None:
    assert listed("abc", most=3) == "a, b, c"
    assert listed("abcdef", most=5, separator=" / ") == "a / b / c and 3 more"
