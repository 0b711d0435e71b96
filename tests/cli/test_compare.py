"""Runs side by side, from what lies on disk; nothing is trained."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.conftest import Run
from tests.evaluation.finished import finished_run, unfinished_run
from tuner.cli import compare
from tuner.evaluation.comparison import COLUMNS


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two finished runs and one that was interrupted."""
    path = tmp_path / "results"
    finished_run(path / "20260101-120000-sequential-tiny")
    finished_run(path / "wide", {"accuracy": 0.95})
    unfinished_run(path / "cut")
    return path


def lines(text: str) -> dict[str, list[str]]:
    """Cells of a table of one word each, by their label."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return {label: cells for label, *cells in rows}


@pytest.mark.usefixtures("results")
def test_runs_are_columns_in_the_order_they_are_named(tuner: Run) -> None:
    result = tuner("compare", "wide", "20260101-120000-sequential-tiny")
    assert result.code == 0, result.stderr
    rows = lines(result.stdout)
    assert rows["status"] == ["completed", "completed"]
    assert rows["test"] == ["accuracy", "95.00%", "90.00%"]
    assert rows["at"] == ["95", "%", "[85.00%,", "93.00%]", "[85.00%,", "93.00%]"]
    assert rows["parameters"] == ["20", "20"]
    assert rows["size"] == ["on", "disk", "0.75", "MiB", "0.75", "MiB"]
    assert rows["loading"] == ["4.00", "s", "4.00", "s"]
    assert result.stderr == ""


@pytest.mark.usefixtures("results")
def test_what_an_unfinished_run_lacks_is_a_dash(tuner: Run) -> None:
    rows = lines(tuner("compare", "wide", "cut").stdout)
    assert rows["status"] == ["completed", "interrupted"]
    assert rows["AUROC"] == ["0.9500", "-"]
    assert rows["images/s"] == ["400", "-"]


@pytest.mark.usefixtures("results")
def test_json_has_a_whole_row_for_each_run(tuner: Run) -> None:
    rows = json.loads(tuner("compare", "wide", "cut", "--format", "json").stdout)
    assert [row["run_id"] for row in rows] == ["wide", "cut"]
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["accuracy"], rows[1]["accuracy"]) == (0.95, None)


@pytest.mark.usefixtures("results")
def test_csv_has_a_line_for_each_run_and_leaves_empty_what_is_missing(tuner: Run) -> None:
    text = tuner("compare", "wide", "cut", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert [row["accuracy"] for row in rows] == ["0.95", ""]


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_many_runs_fit_the_width_and_none_is_left_out(
    tuner: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(compare, "stdout", lambda: Console(width=columns))
    names = [f"20260101-12000{i}-sequential-tiny" for i in range(9)]
    for i, name in enumerate(names):
        finished_run(tmp_path / "results" / name, {"accuracy": i / 100})
    result = tuner("compare", *names)
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert all(f" {i / 100:.2%} " in result.stdout + " " for i in range(9))


def test_many_runs_are_lines_where_there_is_room_for_all_their_figures(tuner: Run, tmp_path: Path) -> None:
    names = [f"r{i}" for i in range(30)]
    for name in names:
        finished_run(tmp_path / "results" / name)
    shown = tuner("compare", *names, COLUMNS="240").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["run", *names]


def test_a_run_is_named_by_its_folder_where_another_has_the_same_name(tuner: Run, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        finished_run(tmp_path / folder / "same")
    assert tuner("compare", "x/same", "y/same").stdout.split()[:2] == ["x/same", "y/same"]


@pytest.mark.usefixtures("results")
def test_runs_on_other_test_images_are_told_on_stderr(tuner: Run, tmp_path: Path) -> None:
    finished_run(tmp_path / "results" / "other", data={"fingerprint": "g", "source": "/data/other"})
    result = tuner("compare", "wide", "other", "--format", "json")
    assert result.code == 0
    assert result.stderr == (
        "Note: evaluated on different test images than wide: other; accuracies are not comparable.\n"
    )
    assert len(json.loads(result.stdout)) == 2


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "Missing argument 'RUN'."),
        (
            ["wide"],
            "run 'wide' alone is nothing to compare. Name two runs or more. List them with: tuner runs",
        ),
        (["wide", "results/wide"], "run 'results/wide' is named twice. Name each run once."),
        (["wide", "wyde"], "no run 'wyde' in 'results'. Did you mean 'wide'? List them with: tuner runs"),
    ],
    ids=["none", "one", "twice", "unknown"],
)
def test_a_bad_request_is_one_line(tuner: Run, runs: list[str], message: str) -> None:
    result = tuner("compare", *runs)
    assert (result.code, result.stdout) == (2, "")
    assert result.error_lines == [f"error: {message}"]
