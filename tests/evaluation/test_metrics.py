import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from tuner.evaluation.metrics import evaluate, predicted_classes, wilson_interval

NAMES = ("FAKE", "REAL")


def columns(*second):
    """Probabilities of two classes from that of the second."""
    return np.array([[1 - p, p] for p in second])


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # Newcombe 1998, Two-sided confidence intervals for the single proportion, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # By hand: half of 100, centre 0.5, half-width 1.96 * sqrt(0.25 / 100 + 1.96^2 / 40000) / 1.0384.
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_the_interval_is_wilsons(successes, total, low, high):
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_stays_within_bounds(case):
    successes, total = case
    low, high = wilson_interval(successes, total)
    assert 0 <= low <= successes / total + 1e-12
    assert successes / total - 1e-12 <= high <= 1


@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_failures_mirrors_that_of_successes(case):
    successes, total = case
    low, high = wilson_interval(successes, total)
    mirrored = wilson_interval(total - successes, total)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_a_tie_of_two_classes_goes_to_the_second():
    assert predicted_classes(columns(0.5, math.nextafter(0.5, 0), 0.6)).tolist() == [1, 0, 1]


def test_a_tie_of_more_classes_goes_to_the_first():
    assert predicted_classes(np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])).tolist() == [0, 1]


def test_figures_of_two_classes_by_hand():
    """Of three FAKE two are found; of two REAL one."""
    labels = np.array([0, 0, 0, 1, 1])
    found = evaluate(labels, columns(0.1, 0.2, 0.9, 0.8, 0.3), NAMES, "FAKE")
    assert (found["images"], found["correct"], found["accuracy"]) == (5, 3, 0.6)
    assert found["confusion_matrix"] == [[2, 1], [1, 1]]
    assert found["classes"]["FAKE"] == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "images": 3}
    )
    assert found["classes"]["REAL"] == pytest.approx(
        {"precision": 0.5, "recall": 0.5, "f1": 0.5, "images": 2}
    )
    # Pairs of a FAKE and a REAL image in the right order: 2 + 2 + 0 of 6.
    assert found["auroc"] == pytest.approx(4 / 6)


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_figures_agree_with_scikit_learn(num_classes):
    rng = np.random.default_rng(num_classes)
    labels = rng.integers(0, num_classes, 200)
    probabilities = rng.dirichlet(np.ones(num_classes), 200)
    names = tuple("abcde"[:num_classes])
    found = evaluate(labels, probabilities, names, None)
    predicted = probabilities.argmax(axis=1)
    assert found["accuracy"] == reference.accuracy_score(labels, predicted)
    assert found["confusion_matrix"] == reference.confusion_matrix(labels, predicted).tolist()
    report = reference.classification_report(labels, predicted, target_names=names, output_dict=True)
    for name in names:
        assert found["classes"][name]["precision"] == pytest.approx(report[name]["precision"])
        assert found["classes"][name]["recall"] == pytest.approx(report[name]["recall"])
        assert found["classes"][name]["f1"] == pytest.approx(report[name]["f1-score"])


@pytest.mark.parametrize("positive", NAMES)
def test_the_area_under_the_curve_is_that_of_the_positive_class(positive):
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 2, 100), columns(*rng.random(100))
    found = evaluate(labels, probabilities, NAMES, positive)
    column = NAMES.index(positive)
    assert found["positive_class"] == positive
    assert found["auroc"] == reference.roc_auc_score(labels == column, probabilities[:, column])


def test_the_area_under_the_curve_does_not_depend_on_which_class_is_positive():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 2, 100), columns(*rng.random(100))
    first, second = (evaluate(labels, probabilities, NAMES, name)["auroc"] for name in NAMES)
    assert first == pytest.approx(second)


def test_without_a_positive_class_there_is_no_area_under_the_curve():
    found = evaluate(np.array([0, 1, 2]), np.eye(3), ("a", "b", "c"), None)
    assert "auroc" not in found
    assert "positive_class" not in found


def test_rows_of_the_confusion_matrix_are_the_true_classes():
    labels = np.array([0, 0, 1])
    assert evaluate(labels, columns(0.9, 0.9, 0.9), NAMES, None)["confusion_matrix"] == [[0, 2], [0, 1]]


def test_a_class_never_predicted_has_precision_zero():
    found = evaluate(np.array([0, 1]), columns(0.9, 0.9), NAMES, None)
    assert found["classes"]["FAKE"]["precision"] == 0.0


def test_a_class_missing_from_the_split_keeps_its_row():
    found = evaluate(np.array([0, 1]), np.eye(3)[:2], ("a", "b", "c"), None)
    assert found["confusion_matrix"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert found["classes"]["c"]["images"] == 0


def test_figures_are_plain_numbers_that_json_holds():
    import json

    found = evaluate(np.array([0, 1]), columns(0.1, 0.9), NAMES, "FAKE")
    assert json.loads(json.dumps(found, allow_nan=False)) == found
