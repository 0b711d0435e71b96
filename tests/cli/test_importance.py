"""What hyperparameters did, from what lies on disk; nothing is trained."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.analysis.searches import by_rate, by_width, search
from tests.cli.conftest import Run
from tuner.analysis import fanova
from tuner.analysis.importance_table import COLUMNS


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WHOLE", "SAMPLED"):
        monkeypatch.setattr(fanova, name, fanova.Effort(4, 4, 2, 30))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A search of 30 trials, and later one of 12 of which some failed."""
    path = tmp_path / "results"
    search(path / "long", 30, by_rate, by_width)
    search(
        path / "short",
        12,
        by_rate,
        fails=lambda values: values["width"] == 64,
        started_at="2027-01-01T00:00:00+00:00",
    )
    return path


@pytest.mark.usefixtures("results")
def test_a_table_tells_what_moved_the_score_and_what_the_time(tuner: Run) -> None:
    result = tuner("importance", "long")
    assert (result.code, result.stderr) == (0, "")
    assert "30 trials" in result.stdout
    assert "1 epoch" in result.stdout
    assert "val_accuracy: rate (" in result.stdout
    assert "seconds per epoch: width (" in result.stdout


@pytest.mark.usefixtures("results")
def test_the_last_run_is_the_default_and_few_trials_are_said_to_be_too_few(tuner: Run) -> None:
    shown = tuner("importance").stdout
    assert "Importance of hyperparameters in short" in shown
    (few,) = [line for line in shown.splitlines() if "too few" in line]
    assert all(number in few for number in (" 4 ", " 20"))
    assert "mean by value" in shown


@pytest.mark.usefixtures("results")
def test_failed_trials_are_left_out_with_their_number(tuner: Run) -> None:
    shown = tuner("importance", "short").stdout
    failed = json.loads(tuner("importance", "short", "--format", "json").stdout)["left_out"]["failed"]
    assert f"left out: {failed} failed" in shown
    assert "Failures: " in shown


@pytest.mark.usefixtures("results")
def test_json_is_the_whole_of_stdout(tuner: Run) -> None:
    found = json.loads(tuner("importance", "long", "--format", "json").stdout)
    assert (found["run_id"], found["trials"], found["epochs"], found["too_few"]) == ("long", 30, 1, None)
    rate = found["hyperparameters"][0]
    assert (rate["name"], rate["active_trials"], rate["conditional"]) == ("rate", 30, False)
    assert rate["score"]["share_low_95"] <= rate["score"]["share"] <= rate["score"]["share_high_95"]
    assert [level["value"] for level in rate["values"]] == ["0.001", "0.01", "0.1"]


@pytest.mark.usefixtures("results")
def test_csv_has_a_line_for_each_value(tuner: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(tuner("importance", "short", "--format", "csv").stdout)))
    assert tuple(rows[0]) == COLUMNS
    rate = [row for row in rows if row["hyperparameter"] == "rate"]
    assert [row["value"] for row in rate] == ["0.001", "0.01", "0.1"]
    assert {row["score_share"] for row in rows} == {""}
    assert all(float(row["score_mean"]) > 0.4 for row in rate if row["trials"] != "0")


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("run", ["long", "short"])
def test_pictures_are_written_into_a_folder_of_one_s_own(tuner: Run, tmp_path: Path, run: str) -> None:
    result = tuner("importance", run, "--png", "pictures", "--format", "csv")
    assert result.stderr == "Pictures   pictures/importance.png, marginal_means.png\n"
    for name in ("importance.png", "marginal_means.png"):
        assert (tmp_path / "pictures" / name).read_bytes().startswith(b"\x89PNG")


def test_a_run_without_a_finished_rung_is_one_line(tuner: Run, tmp_path: Path) -> None:
    search(tmp_path / "results" / "failed", 3, by_rate, fails=lambda _: True)
    result = tuner("importance", "failed")
    assert (result.code, result.stdout) == (1, "")
    (line,) = result.error_lines
    assert "'failed'" in line
    assert "tuner leaderboard failed" in line


def test_an_unknown_run_is_one_line(tuner: Run) -> None:
    result = tuner("importance", "none")
    assert (result.code, result.stdout) == (2, "")
    (line,) = result.error_lines
    assert "'results'" in line
    assert "tuner search" in line


def test_trials_that_are_all_alike_have_nothing_to_tell(tuner: Run, tmp_path: Path) -> None:
    search(tmp_path / "results" / "same", 3, lambda _: 0.5, values=lambda *_: {"units": 8})
    shown = tuner("importance", "same").stdout
    assert "all with units=8" in shown
