import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuner.statistics.significance import holm, mcnemar, p_text


def models(only_first, only_second, both=3, neither=2):
    """Whether each of two models is right, image by image."""
    first = [True] * only_first + [False] * only_second + [True] * both + [False] * neither
    second = [False] * only_first + [True] * only_second + [True] * both + [False] * neither
    return np.array(first), np.array(second)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [
        # By hand: twice the tail of the binomial distribution of the discordant images.
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (0, 6, 2 / 64),
        (5, 4, 1.0),
        (3, 3, 1.0),
        (0, 0, 1.0),
    ],
)
def test_few_discordant_images_are_tested_exactly(only_first, only_second, p_value):
    found = mcnemar(*models(only_first, only_second))
    assert found.p_value == pytest.approx(p_value)
    assert found.test == "McNemar, exact binomial"


@pytest.mark.parametrize(
    ("only_first", "only_second", "statistic"),
    [
        # By hand: (|150 - 86| - 1)^2 / 236, of Agresti's approval ratings; and (15 - 10 - 1)^2 / 25.
        (150, 86, 63**2 / 236),
        (10, 15, 16 / 25),
        (20, 20, 0.0),
    ],
)
def test_many_discordant_images_are_tested_by_chi_squared_with_correction(only_first, only_second, statistic):
    found = mcnemar(*models(only_first, only_second))
    assert found.p_value == pytest.approx(float(stats.chi2.sf(statistic, 1)))
    assert found.test == "McNemar, chi-squared with continuity correction"


def test_agresti_s_approval_ratings_by_the_table():
    assert mcnemar(*models(150, 86)).p_value == pytest.approx(4.1e-5, abs=5e-7)


@pytest.mark.parametrize(("discordant", "exact"), [(24, True), (25, False)])
def test_the_exact_form_ends_where_discordant_images_are_many(discordant, exact):
    assert mcnemar(*models(discordant, 0)).exact is exact


@given(st.integers(0, 24).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_exact_form_is_a_binomial_test(case):
    only_first, discordant = case
    found = mcnemar(*models(only_first, discordant - only_first))
    expected = stats.binomtest(only_first, discordant).pvalue if discordant else 1.0
    assert found.p_value == pytest.approx(expected)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9), st.integers(0, 9))
def test_images_that_both_get_right_or_wrong_do_not_count(only_first, only_second, both, neither):
    found = mcnemar(*models(only_first, only_second, both, neither))
    assert found.p_value == mcnemar(*models(only_first, only_second)).p_value
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.images == only_first + only_second + both + neither


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_order_of_the_models_does_not_matter(only_first, only_second):
    assert (
        mcnemar(*models(only_first, only_second)).p_value == mcnemar(*models(only_second, only_first)).p_value
    )


def test_models_on_different_numbers_of_images_are_refused():
    with pytest.raises(ValueError, match=r"\(1,\).*\(2,\)"):
        mcnemar(np.array([True]), np.array([True, False]))


def test_several_tests_are_adjusted_by_holm():
    """By hand: 3 * 0.01, 2 * 0.04, and 0.05, which must not fall below the one before."""
    assert holm([0.04, 0.01, 0.05]) == pytest.approx([0.08, 0.03, 0.08])


def test_one_test_alone_is_not_adjusted():
    assert holm([0.2]) == [0.2]


def test_an_adjusted_probability_is_at_most_one():
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("p_value", "text"),
    [
        (1.0, "p = 1.00"),
        (0.312, "p = 0.31"),
        (0.0496, "p = 0.050"),
        (0.0042, "p = 0.0042"),
        (0.00099, "p = 0.00099"),
        (2e-9, "p < 0.0001"),
    ],
)
def test_a_probability_is_told_with_the_digits_that_matter(p_value, text):
    assert p_text(p_value) == text
