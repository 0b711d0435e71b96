"""An evaluation of many classes on a screen, and the rest of it in files."""

import csv
import io
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.report.reported import predictions
from tuner.evaluation.predictions import write_predictions

NAMES = tuple(f"n{k:02d}" for k in range(30))


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    path = tmp_path / "many.csv"
    write_predictions(path, predictions(NAMES, 150))
    return path


def test_many_classes_are_a_part_of_the_tables_and_the_most_confused_pairs(
    tuner: Run, predicted: Path
) -> None:
    lines = tuner("evaluate", "--predictions", predicted).stdout.splitlines()
    assert len(lines) < 60
    (pairs,) = [number for number, line in enumerate(lines) if line.startswith("Most confused")]
    assert lines[pairs + 2].split()[0] in NAMES
    assert any("10 of 30 classes" in line and "--format csv" in line for line in lines)
    assert any("confusion_matrix.csv" in line for line in lines)


def test_as_csv_every_class_has_its_figures(tuner: Run, predicted: Path) -> None:
    text = tuner("evaluate", "--predictions", predicted, "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["class"] for row in rows if row["figure"] == "f1"} == {*NAMES, "macro"}


def test_the_whole_matrix_is_a_file_beside_the_evaluation(
    tuner: Run, predicted: Path, tmp_path: Path
) -> None:
    result = tuner("evaluate", "--predictions", predicted, "--out", tmp_path / "out")
    assert result.code == 0, result.stderr
    with (tmp_path / "out" / "confusion_matrix.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head[1:] == [row[0] for row in rows] == list(NAMES)
    assert sum(int(count) for row in rows for count in row[1:]) == 150
