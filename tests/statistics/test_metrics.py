import math

import numpy as np
import pytest
from sklearn import metrics as reference

from tuner.statistics.calibration import predicted_classes
from tuner.statistics.headline import headline
from tuner.statistics.metrics import chosen_before, evaluate
from tuner.statistics.thresholds import Chosen, choose_on_validation

NAMES = ("FAKE", "REAL")


def columns(*second):
    """Probabilities of two classes from that of the second."""
    return np.array([[1 - p, p] for p in second])


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
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert found["log_loss"] == pytest.approx(reference.log_loss(labels, probabilities))
    report = reference.classification_report(labels, predicted, target_names=names, output_dict=True)
    for name in names:
        assert found["classes"][name]["precision"] == pytest.approx(report[name]["precision"])
        assert found["classes"][name]["recall"] == pytest.approx(report[name]["recall"])
        assert found["classes"][name]["f1"] == pytest.approx(report[name]["f1-score"])
    for name, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
        assert found["macro"][name] == pytest.approx(report["macro avg"][theirs])


@pytest.mark.parametrize("positive", NAMES)
def test_the_area_under_the_curve_is_that_of_the_positive_class(positive):
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 2, 100), columns(*rng.random(100))
    found = evaluate(labels, probabilities, NAMES, positive)
    column = NAMES.index(positive)
    assert found["positive_class"] == positive
    area = reference.roc_auc_score(labels == column, probabilities[:, column])
    assert found["auroc"] == pytest.approx(area)


def test_the_area_under_the_curve_does_not_depend_on_which_class_is_positive():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 2, 100), columns(*rng.random(100))
    first, second = (evaluate(labels, probabilities, NAMES, name)["auroc"] for name in NAMES)
    assert first == pytest.approx(second)


def test_without_a_positive_class_there_is_no_area_under_the_curve():
    found = evaluate(np.array([0, 1, 2]), np.eye(3), ("a", "b", "c"), None)
    assert "auroc" not in found
    assert "positive_class" not in found
    assert "at_threshold" not in found


@pytest.mark.parametrize("num_classes", [3, 5])
def test_of_several_classes_each_is_held_against_the_rest_as_in_scikit_learn(num_classes):
    rng = np.random.default_rng(num_classes)
    labels = rng.integers(0, num_classes, 200)
    probabilities = rng.dirichlet(np.ones(num_classes), 200)
    names = tuple("abcde"[:num_classes])
    found = evaluate(labels, probabilities, names, None)
    for i, name in enumerate(names):
        precision = reference.average_precision_score(labels == i, probabilities[:, i])
        assert found["one_vs_rest"][name]["average_precision"] == pytest.approx(precision)
    area = reference.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert found["macro"]["auroc"] == pytest.approx(area)


def test_a_class_without_images_has_no_place_in_the_mean_over_classes():
    found = evaluate(np.array([0, 1, 1]), np.eye(3)[[0, 1, 0]], ("a", "b", "c"), None)
    assert found["one_vs_rest"]["c"]["auroc"] is None
    areas = [found["one_vs_rest"][name]["auroc"] for name in "ab"]
    assert found["macro"]["auroc"] == pytest.approx(np.mean(areas))
    # Recall 1 of a, 1/2 of b; of c there is none.
    assert found["balanced_accuracy"] == found["macro"]["recall"] == 0.75
    # Precision 1/2 of a, 1 of b; F1 2/3 of either.
    assert found["macro"]["precision"] == 0.75
    assert found["macro"]["f1"] == pytest.approx(2 / 3)
    assert (found["classes"]["c"]["recall"], found["classes"]["c"]["f1"]) == (None, None)


def test_the_mean_of_the_areas_has_an_interval_and_the_rates_have_means():
    rng = np.random.default_rng(3)
    labels, probabilities = rng.integers(0, 3, 90), rng.dirichlet(np.ones(3), 90)
    found = evaluate(labels, probabilities, ("a", "b", "c"), None)
    low, high = found["macro"]["auroc_interval_95"]
    assert low < found["macro"]["auroc"] < high
    for i, point in enumerate(found["macro"]["tpr_at_fpr"]):
        rates = [figures["tpr_at_fpr"][i]["tpr"] for figures in found["one_vs_rest"].values()]
        assert point == {"fpr": (0.01, 0.001)[i], "tpr": pytest.approx(np.mean(rates))}
    shown = headline(found)
    assert (shown["auroc"], shown["auroc_interval_95"]) == (found["macro"]["auroc"], [low, high])


def test_images_of_one_class_of_several_have_no_mean_of_areas():
    found = evaluate(np.array([1, 1]), np.eye(3)[:2], ("a", "b", "c"), None)
    assert {found["macro"][name] for name in ("auroc", "auroc_interval_95", "tpr_at_fpr")} == {None}
    assert found["macro"]["recall"] == 0.5


def test_images_of_one_class_alone_have_no_ranking():
    found = evaluate(np.array([0, 0]), columns(0.1, 0.7), NAMES, "FAKE")
    assert found["accuracy"] == 0.5
    assert all(found[name] is None for name in ("auroc", "auroc_interval_95", "eer", "tpr_at_fpr"))


def test_squared_errors_of_two_classes_are_those_of_one_of_them():
    """As in scikit-learn, where more classes are summed over."""
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 2, 100), columns(*rng.random(100))
    found = evaluate(labels, probabilities, NAMES, None)["brier"]
    assert found == pytest.approx(reference.brier_score_loss(labels, probabilities[:, 1]))
    assert evaluate(np.array([0, 1]), np.eye(3)[[1, 1]], ("a", "b", "c"), None)["brier"] == 1.0


def test_a_probability_of_zero_for_what_is_true_costs_a_lot_but_not_everything():
    found = evaluate(np.array([0]), columns(1.0), NAMES, None)["log_loss"]
    assert found == pytest.approx(reference.log_loss([0], [[0.0, 1.0]], labels=[0, 1]))


@pytest.mark.parametrize("least", [0.0, 1e-13])
def test_a_temperature_of_one_leaves_the_log_loss_as_it_is(least):
    found = evaluate(np.array([0, 1]), columns(1 - least, 0.9), NAMES, None, Chosen(temperature=1.0))
    assert found["calibrated"]["log_loss"] == pytest.approx(found["log_loss"], rel=1e-9)


def test_a_threshold_chosen_elsewhere_gives_decisions_of_its_own():
    """FAKE from 0.3 on: the fourth image is the only one decided otherwise than at 0.5."""
    labels = np.array([0, 0, 1, 0, 1])
    probabilities = columns(0.1, 0.4, 0.9, 0.65, 0.8)
    found = evaluate(labels, probabilities, NAMES, "FAKE", Chosen(threshold=0.3))
    assert (found["accuracy"], found["at_threshold"]["accuracy"]) == (0.8, 1.0)
    assert found["at_threshold"]["threshold"] == 0.3
    assert found["at_threshold"]["confusion_matrix"] == [[3, 0], [0, 2]]


@pytest.mark.parametrize("positive", NAMES)
def test_a_threshold_is_about_the_positive_class_and_includes_itself(positive):
    found = evaluate(np.array([0, 1]), columns(0.75, 0.25), NAMES, positive, Chosen(threshold=0.75))
    # The first image is REAL with 0.75, the second FAKE with 0.75: both are wrong, either way.
    assert found["at_threshold"]["confusion_matrix"] == [[0, 1], [1, 0]]


def test_a_temperature_changes_what_probabilities_say_and_no_decision():
    labels = np.array([0, 0, 1, 1])
    probabilities = columns(0.1, 0.8, 0.9, 0.7)
    found = evaluate(labels, probabilities, NAMES, "FAKE", Chosen(temperature=2.0))
    assert found["calibrated"]["temperature"] == 2.0
    assert found["calibrated"]["log_loss"] != found["log_loss"]
    assert evaluate(labels, probabilities, NAMES, "FAKE", Chosen(temperature=1.0))["calibrated"]["ece"] == (
        pytest.approx(found["ece"])
    )


def test_what_was_chosen_is_found_again_in_an_evaluation():
    chosen = Chosen(0.3, 1.5, "given")
    found = evaluate(np.array([0, 1]), columns(0.1, 0.9), NAMES, "FAKE", chosen)
    assert chosen_before(found) == chosen


def test_an_evaluation_without_choices_has_none_that_failed():
    assert chosen_before({"accuracy": 0.9}) == Chosen(None, None)


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

    found = evaluate(np.array([0, 1]), columns(0.1, 0.9), NAMES, "FAKE", Chosen(0.4, 1.2))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_where_the_fit_of_the_temperature_did_not_converge_nothing_is_calibrated():
    labels, probabilities = np.array([0, 1, 1]), columns(0.2, 0.9, 0.4)
    chosen = choose_on_validation(np.array([0, 1]), columns(0.9, 0.1), 1)
    found = evaluate(labels, probabilities, NAMES, "FAKE", chosen)
    assert found["calibrated"] is None
    assert chosen_before(found) == chosen
    assert (chosen.temperature, chosen.converged) == (None, False)
