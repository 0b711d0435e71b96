"""Texts in CSV files that a spreadsheet would compute: they are kept from it, and read back as they were."""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.results.records import record
from tuner.evaluation.plot_confusion import write_confusion_csv
from tuner.evaluation.predictions import Predictions, read_predictions, write_predictions
from tuner.results.tables import csv_text, read_table, rows_table, write_table, write_trials

FORMULAS = ('=HYPERLINK("http://x")', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1")
COMPUTED = tuple(name[0] for name in FORMULAS)
# Text of a file in UTF-8, without the character that ends a text in C.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
SIGNS = st.sampled_from(["'", *COMPUTED, "a", " "])
NAMES = TEXTS | st.builds("".join, st.lists(SIGNS, max_size=5))


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", FORMULAS)
def test_no_text_and_no_header_is_a_formula(name: str) -> None:
    for row in cells(csv_text(rows_table([{name: name, "number": 1}]))):
        assert row[0] == f"'{name}"


def test_numbers_stay_numbers() -> None:
    rows = [{"float": -0.5, "integer": -2, "mixed": -1, "text": "-"}, {"mixed": "=1"}]
    assert cells(csv_text(rows_table(rows)))[1] == ["-0.5", "-2", "-1", "'-"]


def test_a_name_with_an_apostrophe_stays_as_it_is_where_it_is_no_formula() -> None:
    assert cells(csv_text(rows_table([{"class": "'tis"}]))) == [["class"], ["'tis"]]


@settings(max_examples=200)
@given(st.lists(NAMES, min_size=1, max_size=4), NAMES)
@example(["=1", "'=1", "''=1", "'tis", "'"], "'-")
def test_what_is_written_is_read_back_as_it_was(names: list[str], column: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        # A row of nothing but an empty text is no row.
        write_table(path, rows_table([("filled", name) for name in names], ("first", column)))
        found = read_table(path, "a table")
    assert (list(found), list(found.iloc[:, 1])) == (["first", column], names)


def test_predictions_of_classes_named_like_formulas_are_read_back(tmp_path: Path) -> None:
    names = ("=1+1", "'=1+1")
    written = Predictions(("-a.png", "@b.png"), np.array([1, 0]), names, np.array([[0.25, 0.75], [0.5, 0.5]]))
    write_predictions(tmp_path / "predictions.csv", written)
    rows = cells((tmp_path / "predictions.csv").read_text("utf-8"))
    assert [row[:2] for row in rows[1:]] == [["'-a.png", "''=1+1"], ["'@b.png", "'=1+1"]]
    found = read_predictions(tmp_path / "predictions.csv")
    assert (found.paths, found.class_names, found.labels.tolist()) == (written.paths, names, [1, 0])


def test_a_confusion_matrix_has_no_formula_in_its_names(tmp_path: Path) -> None:
    evaluation = {"class_names": ["=a", "b"], "confusion_matrix": [[1, 2], [3, 4]]}
    write_confusion_csv(tmp_path / "matrix.csv", evaluation)
    assert cells((tmp_path / "matrix.csv").read_text("utf-8")) == [
        ["true_class", "'=a", "b"],
        ["'=a", "1", "2"],
        ["b", "3", "4"],
    ]


def test_values_of_hyperparameters_are_read_back_from_trials(tmp_path: Path) -> None:
    write_trials(tmp_path / "trials.csv", [record(values={"kind": "=1", "rate": -0.5})], "val_accuracy")
    assert "'=1,-0.5" in (tmp_path / "trials.csv").read_text("utf-8")
    found = read_table(tmp_path / "trials.csv", "a run")
    assert found[["hp.kind", "hp.rate"]].to_numpy().tolist() == [["=1", "-0.5"]]
