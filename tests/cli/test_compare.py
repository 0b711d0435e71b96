"""Runs side by side, from what lies on disk; nothing is trained."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.analysis.finished_runs import finished_run, unfinished_run
from tests.cli.conftest import Result, Run
from tests.results.records import DATA
from tuner.analysis.run_comparison import COLUMNS, DIFFERENCE_COLUMNS
from tuner.cli import compare
from tuner.results.store_file import connect

OTHER = DATA | {"fingerprint": "g", "source": "/data/other"}


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
    assert tuple(rows[0]) == COLUMNS + DIFFERENCE_COLUMNS
    assert (rows[0]["accuracy"], rows[1]["accuracy"]) == (0.95, None)


@pytest.mark.usefixtures("results")
def test_csv_has_a_line_for_each_run_and_leaves_empty_what_is_missing(tuner: Run) -> None:
    text = tuner("compare", "wide", "cut", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS + DIFFERENCE_COLUMNS
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
    table, *_ = tuner("compare", *names, COLUMNS="240").stdout.split("\n\n")
    shown = table.splitlines()
    assert [line.split()[0] for line in shown] == ["run", *names]


def test_a_run_is_named_by_its_folder_where_another_has_the_same_name(tuner: Run, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        finished_run(tmp_path / folder / "same")
    assert tuner("compare", "x/same", "y/same").stdout.split()[:2] == ["x/same", "y/same"]


@pytest.mark.usefixtures("results")
def test_runs_on_other_test_images_are_told_on_stderr(tuner: Run, tmp_path: Path) -> None:
    finished_run(tmp_path / "results" / "other", data=OTHER)
    result = tuner("compare", "wide", "other", "--format", "json")
    assert result.code == 0
    noted(result, "test images", "wide", "other")
    assert len(json.loads(result.stdout)) == 2


def noted(result: Result, *parts: str) -> None:
    (line,) = result.error_lines
    assert line.startswith("Note: ")
    assert all(part in line for part in parts), line


def winners(path: Path, images: int, better: int) -> None:
    """Two runs on the same images, all REAL; the second is right on all, the first on all but some."""
    paths = tuple(f"{i}.png" for i in range(images))
    first = tuple("FAKE" if i < better else "REAL" for i in range(images))
    finished_run(path / "results" / "first", tested=paths, predicted=first)
    finished_run(path / "results" / "second", tested=paths)


def test_winners_that_differ_are_told_with_the_test(tuner: Run, tmp_path: Path) -> None:
    winners(tmp_path, 40, 8)  # p = 2 / 2^8
    _, _, said = " ".join(tuner("compare", "first", "second").stdout.split()).partition(
        "second against first: better, p = 0.0078 "
    )
    assert all(words in said for words in ("8 images", " 0 ", " 40", "McNemar", "exact binomial"))


def test_winners_that_do_not_differ_are_said_not_to(tuner: Run, tmp_path: Path) -> None:
    winners(tmp_path, 40, 3)
    (line,) = [line for line in tuner("compare", "first", "second").stdout.splitlines() if "against" in line]
    assert all(words in line for words in ("second against first", "no difference", "p = 0.25"))


def test_the_worse_winner_is_called_worse(tuner: Run, tmp_path: Path) -> None:
    winners(tmp_path, 40, 8)
    assert "first against second: worse, p = 0.0078" in tuner("compare", "second", "first").stdout


def test_json_has_the_test_against_the_first_run(tuner: Run, tmp_path: Path) -> None:
    winners(tmp_path, 40, 8)
    first, second = json.loads(tuner("compare", "first", "second", "--format", "json").stdout)
    assert first["p_value"] is None
    assert (second["only_first_right"], second["only_this_right"]) == (0, 8)
    assert second["p_value"] == pytest.approx(2 / 2**8)


@pytest.mark.usefixtures("results")
def test_winners_that_cannot_be_tested_are_told_with_the_reason(tuner: Run, tmp_path: Path) -> None:
    finished_run(tmp_path / "results" / "other", data=OTHER)
    finished_run(tmp_path / "results" / "lost")
    (tmp_path / "results" / "lost" / "best" / "predictions.csv").unlink()
    shown = tuner("compare", "wide", "other", "cut", "lost").stdout
    for name, reason in (("other", "test images"), ("cut", "winner"), ("lost", "best/predictions.csv")):
        (line,) = [line for line in shown.splitlines() if line.startswith(f"{name} against wide: ")]
        assert "not tested" in line
        assert reason in line


CURVE: dict[str, Any] = {"objective": "val_accuracy"}


def test_the_best_score_so_far_is_shown_by_trials_and_by_time(tuner: Run, tmp_path: Path) -> None:
    """Both epochs of these runs end after nine seconds."""
    finished_run(tmp_path / "results" / "a", **CURVE)
    unfinished_run(tmp_path / "results" / "b", (0.5, 0.4, 0.6, 0.3), **CURVE)
    rows = lines(tuner("compare", "a", "b").stdout.split("\n\n")[1])
    assert rows["best"][:6] == ["val_accuracy", "after", "1", "trial", "2", "4"]
    assert rows["a"][:3] == ["0.5000", "0.7500", "0.7500"]
    assert rows["b"][:3] == ["0.5000", "0.5000", "0.6000"]


def test_the_best_scores_so_far_are_drawn(tuner: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        finished_run(tmp_path / "results" / name, **CURVE)
    result = tuner("compare", "a", "b", "--png", "curves/both.png", "--format", "csv")
    assert result.stderr == "Picture    curves/both.png\n"
    assert (tmp_path / "curves" / "both.png").read_bytes().startswith(b"\x89PNG")


def test_scores_on_other_validation_images_are_told_on_stderr(tuner: Run, tmp_path: Path) -> None:
    finished_run(tmp_path / "results" / "a", **CURVE)
    finished_run(tmp_path / "results" / "b", seed=1, **CURVE)
    noted(tuner("compare", "a", "b"), "validation images", " a: b")


def test_a_run_of_which_no_epoch_is_over_is_said_to_have_no_curve(tuner: Run, tmp_path: Path) -> None:
    finished_run(tmp_path / "results" / "a", **CURVE)
    begun = finished_run(tmp_path / "results" / "b", **CURVE)
    with connect(begun.path / "run.sqlite") as connection:
        connection.execute("DELETE FROM costs")
        connection.execute("DELETE FROM epochs")
    noted(tuner("compare", "a", "b"), "curve", ": b.")


def test_runs_with_different_objectives_have_no_common_curve(tuner: Run, tmp_path: Path) -> None:
    finished_run(tmp_path / "results" / "a", **CURVE)
    finished_run(tmp_path / "results" / "b", objective="val_loss", direction="min")
    result = tuner("compare", "a", "b", "--png", "both.png")
    assert (result.code, result.stdout) == (1, "")
    (line,) = result.error_lines
    assert all(part in line for part in ("'both.png'", "objectives", "val_accuracy", "val_loss"))


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("runs", "parts"),
    [
        ([], ("Missing argument", "RUN")),
        (["wide"], ("'wide'", "tuner runs")),
        (["wide", "results/wide"], ("'results/wide'", "twice")),
        (["wide", "wyde"], ("'wyde'", "'results'", "'wide'", "tuner runs")),
    ],
    ids=["none", "one", "twice", "unknown"],
)
def test_a_bad_request_is_one_line(tuner: Run, runs: list[str], parts: tuple[str, ...]) -> None:
    result = tuner("compare", *runs)
    assert (result.code, result.stdout) == (2, "")
    (line,) = result.error_lines
    assert line.startswith("error: ")
    assert all(part in line for part in parts)
