"""A result that is no success is called so; one that is stays without a word."""

import numpy as np
import pytest

from tuner.statistics.metrics import evaluate

NAMES = ("FAKE", "REAL")


def judged(labels, of_second):
    """The verdict on two classes, from the probability of the second."""
    second = np.asarray(of_second, float)
    return evaluate(np.asarray(labels), np.stack([1 - second, second], axis=1), NAMES, "FAKE")["verdict"]


def judged_answers(labels, answers, num_classes):
    names = tuple("abcde"[:num_classes])
    return evaluate(np.asarray(labels), np.eye(num_classes)[answers] * 0.8 + 0.04, names, None)["verdict"]


def labelled(fake, real):
    return np.repeat([0, 1], [fake, real])


def test_a_good_model_needs_no_verdict():
    labels = labelled(50, 50)
    assert judged(labels, np.where(labels, 0.9, 0.2)) is None


def test_a_high_accuracy_of_one_answer_is_called_what_it_is():
    """90 % accuracy, and the order of the images the wrong way round."""
    labels = labelled(10, 90)
    text = judged(labels, np.where(labels, 0.8, 0.9))
    for part in (
        "No better than guessing the larger class",
        "90.00%",
        "'REAL' for all 100",
        "AUROC of 0.00",
        "below 0.5",
        "--class-weights",
        "--space",
        "tuner data show",
    ):
        assert part in text


def test_one_answer_for_nearly_all_images_is_told_with_their_number():
    labels = labelled(20, 80)
    probabilities = np.where(np.arange(100) % 50 == 0, 0.3, 0.9)
    assert "'REAL' for 98 of 100 images" in judged(labels, probabilities)


def test_the_right_answers_on_uneven_classes_are_not_one_answer():
    labels = labelled(20, 980)
    assert judged(labels, np.where(labels, 0.9, 0.2)) is None


def test_half_right_of_even_classes_is_guessing():
    labels, right = labelled(50, 50), np.arange(100) % 2
    text = judged(labels, np.where(labels == right, labels, 1 - labels) * 0.8 + 0.1)
    assert "No better than guessing one class" in text
    assert "The model answers" not in text


def test_less_than_the_larger_class_is_worse_than_guessing():
    labels = labelled(50, 50)
    text = judged(labels, np.where(labels, 0.2, 0.9))
    assert "Worse than guessing" in text
    assert "below 0.5" in text


def test_a_handful_of_right_answers_is_no_proof():
    labels = labelled(1, 9)
    text = judged(labels, np.where(labels, 0.9, 0.2))
    assert "No better than guessing the larger class" in text
    assert "10 images" in text


def test_a_model_that_only_lacks_a_threshold_is_told_apart():
    labels = labelled(30, 270)
    text = judged(labels, np.where(labels, 0.95, 0.7))
    assert "'REAL' for all 300" in text
    assert "threshold" in text


@pytest.mark.parametrize("answer", [0, 3])
def test_one_answer_of_many_classes_is_called_so(answer):
    labels = np.arange(100) % 5
    text = judged_answers(labels, np.full(100, answer), 5)
    assert f"'{'abcde'[answer]}' for all 100" in text
    assert "20.00%" in text


def test_of_many_classes_the_largest_is_the_guess():
    labels = np.repeat([0, 1, 2], [10, 60, 30])
    assert "the largest class" in judged_answers(labels, np.ones(100, int), 3)


def test_images_of_one_class_allow_no_verdict():
    assert judged(np.zeros(20, int), np.full(20, 0.9)) is None
