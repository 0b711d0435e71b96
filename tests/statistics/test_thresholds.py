import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from tuner.statistics.thresholds import choose_on_validation, choose_threshold

CASES = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2).filter(
    lambda case: len({positive for positive, _ in case}) == 2
)


def choose(positives, scores):
    return choose_threshold(np.array(positives, bool), np.array(scores, float))


def test_the_threshold_lies_halfway_between_two_scores():
    assert choose([0, 0, 1, 1], [0.1, 0.6, 0.8, 0.9]) == pytest.approx(0.7)


def test_one_half_stays_where_nothing_is_better():
    assert choose([0, 0, 1, 1], [0.1, 0.3, 0.8, 0.9]) == 0.5


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken():
    """One positive is missed, or one negative taken for positive: 0.3 or 0.1."""
    assert choose([0, 1, 0, 1], [0.0, 0.2, 0.3, 0.4]) == pytest.approx(0.35)


def test_classes_count_alike_however_many_images_they_have():
    """Accuracy would put the threshold above the only positive."""
    positives = [1, *[0] * 10]
    scores = [0.6, 0.7, 0.8, *[0.1] * 8]
    assert choose(positives, scores) == 0.5


def test_images_of_one_class_choose_nothing():
    assert choose([1, 1], [0.1, 0.2]) == 0.5


def test_between_neighbouring_floats_the_higher_is_the_threshold():
    low = 0.7
    high = math.nextafter(low, 1)
    threshold = choose([0, 1], [low, high])
    assert low < threshold <= high


@given(CASES)
def test_no_point_of_the_curve_of_scikit_learn_has_a_higher_balanced_accuracy(case):
    positives, scores = (np.array(column) for column in zip(*case, strict=True))
    found = reference.balanced_accuracy_score(positives, scores >= choose(positives, scores))
    # roc_curve takes scores that differ by less than it can tell for equal; each score is tried here.
    best = max(reference.balanced_accuracy_score(positives, scores >= score) for score in scores)
    assert found >= best - 1e-12


@pytest.mark.parametrize(("positive", "threshold"), [(0, 0.3), (1, 0.7)])
def test_the_threshold_is_one_on_the_positive_class(positive, threshold):
    """Scores of the second class: 0.6 and below of the first, 0.8 of the second."""
    probabilities = np.array([[0.4, 0.6], [0.9, 0.1], [0.2, 0.8]])
    chosen = choose_on_validation(np.array([0, 0, 1]), probabilities, positive)
    assert chosen.threshold == pytest.approx(threshold)
    assert chosen.source == "validation"


@pytest.mark.parametrize("positive", [None, 0])
def test_of_more_than_two_classes_only_a_temperature_is_chosen(positive):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    chosen = choose_on_validation(np.arange(30) % 3, probabilities, positive)
    assert chosen.threshold is None
    assert chosen.temperature is not None
