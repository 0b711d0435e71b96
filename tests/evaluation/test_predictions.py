import errno
import os

import numpy as np
import pytest

from tests.sources.refusals import refusal
from tuner.errors import TunerError, UsageError
from tuner.evaluation.predictions import Predictions, read_predictions, write_predictions

NAMES = ("ant", "bee", "cat")


def predictions(count=20):
    rng = np.random.default_rng(0)
    paths = tuple(f'b, {number}/"ä".png' for number in range(count))
    return Predictions(paths, rng.integers(0, 3, count), NAMES, rng.dirichlet(np.ones(3), count))


def test_what_is_written_is_read_again_to_the_last_digit(tmp_path):
    before = predictions()
    write_predictions(tmp_path / "p.csv", before)
    after = read_predictions(tmp_path / "p.csv")
    assert (after.paths, after.class_names) == (before.paths, before.class_names)
    assert after.labels.tolist() == before.labels.tolist()
    assert after.probabilities.tolist() == before.probabilities.tolist()


def test_a_file_from_elsewhere_needs_paths_labels_and_probabilities_alone(tmp_path):
    (tmp_path / "p.csv").write_text("p.b,label,p.a,path,note\n0.2,a,0.8,x.png,hello\n")
    found = read_predictions(tmp_path / "p.csv")
    assert found.class_names == ("b", "a")
    assert found.right.tolist() == [True]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("path,label,p.a\nx,a,1\n", ("path, label, p.a", "two classes")),
        ("path,p.a,p.b\nx,0,1\n", ("path, p.a, p.b", "path, label", "p.<class>")),
        ("", ("columns none", "path, label", "p.<class>")),
        ("path,label,p.a,p.b\n", ("no rows",)),
        ("path,label,p.a,p.b\nx,c,0,1\n", ("line 2", "label 'c'", "a, b")),
        ("path,label,p.a,p.b\nx,a,0,1\ny,a,much,1\n", ("line 3", "much, 1")),
        ("path,label,p.a,p.b\nx,a,0.5,0.6\n", ("line 2", "0.5, 0.6", "sum to 1")),
        ("path,label,p.a,p.b\nx,a,nan,1\n", ("line 2", "nan, 1")),
        ("path,label,p.a,p.b\nx,a,0\n", ("line 2", "0, None")),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_the_reason(tmp_path, text, parts):
    (tmp_path / "p.csv").write_text(text)
    with refusal(UsageError, tmp_path / "p.csv", *parts):
        read_predictions(tmp_path / "p.csv")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with refusal(UsageError, tmp_path / "none.csv", os.strerror(errno.ENOENT)):
        read_predictions(tmp_path / "none.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00")
    with refusal(UsageError, tmp_path / "p.csv", "UTF-8"):
        read_predictions(tmp_path / "p.csv")


def test_a_model_without_finite_output_is_not_judged():
    with pytest.raises(TunerError, match="1 of 2 "):
        Predictions(("a", "b"), np.array([0, 1]), ("a", "b"), np.array([[np.nan, 1], [0, 1]]))
