"""The pairs of classes that are confused most, and the classes that a table of many shows."""

import numpy as np

from tuner.statistics.confusion import MANY_CLASSES, SHOWN, most_confused, shown_classes
from tuner.statistics.metrics import evaluate


def pairs(matrix, names="abc"):
    return [(each["true"], each["predicted"], each["images"]) for each in most_confused(matrix, names)]


def test_the_most_images_come_first_and_hits_do_not_count():
    assert pairs([[9, 1, 0], [3, 5, 0], [0, 2, 70]]) == [("b", "a", 3), ("c", "b", 2), ("a", "b", 1)]


def test_of_equally_many_images_the_larger_share_of_the_true_class_comes_first():
    first, second = most_confused([[98, 2, 0], [0, 5, 0], [0, 2, 2]], "abc")
    assert (first["true"], first["share"], second["share"]) == ("c", 0.5, 0.02)


def test_without_an_error_there_is_no_pair():
    assert pairs([[3, 0], [0, 0]]) == []


def test_an_evaluation_of_three_classes_names_its_pairs():
    labels = np.array([0, 1, 2, 2])
    predicted = np.eye(3)[[0, 1, 1, 1]]
    (found,) = evaluate(labels, predicted, ("ant", "bee", "cat"), None)["most_confused"]
    assert found == {"true": "cat", "predicted": "bee", "images": 2, "share": 1.0}


def test_of_many_classes_those_with_the_least_f1_are_shown():
    classes = {str(k): {"f1": None if k < 3 else 1 - k / 100} for k in range(MANY_CLASSES)}
    assert shown_classes(classes) == [str(k) for k in range(MANY_CLASSES - 1, MANY_CLASSES - 1 - SHOWN, -1)]
    del classes["0"]
    assert len(shown_classes(classes)) == MANY_CLASSES - 1
