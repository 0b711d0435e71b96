import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from tuner.statistics.roc import ranking_figures

CASES = st.lists(
    st.tuples(st.booleans(), st.integers(0, 20).map(lambda twentieth: twentieth / 20)), min_size=2
).filter(lambda case: len({positive for positive, _ in case}) == 2)


def figures(positives, scores):
    return ranking_figures(np.array(positives, bool), np.array(scores, float))


@given(CASES)
def test_area_and_average_precision_are_those_of_scikit_learn(case):
    positives, scores = zip(*case, strict=True)
    found = figures(positives, scores)
    assert found["auroc"] == pytest.approx(reference.roc_auc_score(positives, scores))
    assert found["average_precision"] == pytest.approx(reference.average_precision_score(positives, scores))


@given(CASES)
def test_at_the_equal_error_rate_a_line_of_the_curve_is_crossed(case):
    positives, scores = zip(*case, strict=True)
    fpr, tpr, _ = reference.roc_curve(positives, scores)
    eer = figures(positives, scores)["eer"]
    at = np.interp(eer, fpr, tpr) if eer not in fpr else None
    highest, lowest = tpr[fpr <= eer + 1e-12].max(), tpr[fpr >= eer - 1e-12].min()
    assert lowest - 1e-9 <= 1 - eer <= highest + 1e-9 or at == pytest.approx(1 - eer)


@pytest.mark.parametrize(
    ("positives", "scores", "eer"),
    [
        # By hand: all apart; all reversed; all the same; one of four on each side on the wrong one.
        ([1, 1, 0, 0], [4, 3, 2, 1], 0.0),
        ([0, 0, 1, 1], [4, 3, 2, 1], 1.0),
        ([0, 0, 1, 1], [1, 1, 1, 1], 0.5),
        ([1, 1, 1, 0, 1, 0, 0, 0], [8, 7, 6, 5, 4, 3, 2, 1], 0.25),
        # From (1/3, 1/2) straight on to (2/3, 1), over a tie: 2/5 of the way, at 1/3 + 1/5 * 1/3.
        ([0, 1, 0, 1, 0], [5, 4, 3, 3, 1], 0.4),
    ],
)
def test_equal_error_rates_by_hand(positives, scores, eer):
    assert figures(positives, scores)["eer"] == pytest.approx(eer)


def test_sensitivity_at_few_false_positives_by_hand():
    """Of 200 negatives 1 % are two: the third is above seven of ten positives, the first above four."""
    negatives = [8.5, 4.5, 1.5, *[0.0] * 197]
    positives = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0.5]
    found = figures([1] * 10 + [0] * 200, [*positives, *negatives])
    assert found["tpr_at_fpr"] == [
        # Down to 2: above 1.5, which would be the third.
        {"fpr": 0.01, "tpr": 0.8, "false_positives": 2},
        # None may be above: only 9.
        {"fpr": 0.001, "tpr": 0.1, "false_positives": 0},
    ]


def test_as_many_false_positives_as_the_rate_says_are_allowed():
    found = figures([1, 1] + [0] * 1000, [0.9, 0.5, 0.7, *[0.0] * 999])
    assert found["tpr_at_fpr"][1] == {"fpr": 0.001, "tpr": 1.0, "false_positives": 1}
