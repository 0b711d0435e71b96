"""`tuner doctor` on the files beside the store: it finds what is damaged, keeps it, and tells the truth."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run

DESCRIBED = (
    "model.keras",
    "predictions.csv",
    "validation_predictions.csv",
    "hyperparameters.json",
    "gallery.npz",
)


@pytest.fixture
def run(copy_of_finished: Path) -> Path:
    return copy_of_finished / "results" / "first"


def flip(path: Path) -> bytes:
    """Change a bit in the middle of a file; return its contents before."""
    before = path.read_bytes()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    return before


def findings(tuner: Run, code: int) -> dict[str, dict[str, str]]:
    result = tuner("doctor", "--format", "json")
    assert result.code == code, result.stderr
    return {row["checked"]: row for row in json.loads(result.stdout)}


@pytest.mark.parametrize("name", [*DESCRIBED, "evaluation.json"])
def test_a_damaged_file_of_the_best_model_is_found_kept_and_made_again(
    tuner: Run, run: Path, name: str
) -> None:
    path = run / "best" / name
    flip(path)
    damaged = path.read_bytes()
    found = findings(tuner, 1)[f"best/{name}"]
    assert found["status"] == "damaged"
    assert "tuner resume" in found["note"]
    assert path.with_name(f"damaged-{name}").read_bytes() == damaged
    assert tuner("resume").code == 0
    assert {row["status"] for row in findings(tuner, 0).values()} == {"ok"}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("evaluation.json", ("report",)),
        ("evaluation.json", ("best",)),
        ("predictions.csv", ("report",)),
        ("gallery.npz", ("report",)),
        ("model.keras", ("best", "--export", "model.keras")),
        ("model.keras", ("evaluate", "first")),
    ],
)
def test_a_damaged_file_is_named_by_the_command_that_reads_it(
    tuner: Run, run: Path, name: str, command: tuple[str, ...]
) -> None:
    flip(run / "best" / name)
    result = tuner(*command)
    assert result.code == 1
    (line,) = result.error_lines
    assert name in line
    assert "damaged" in line


def test_a_comparison_does_without_damaged_predictions_and_says_so(tuner: Run, run: Path) -> None:
    shutil.copytree(run, run.with_name("second"))
    flip(run / "best" / "predictions.csv")
    result = tuner("compare", "first", "second")
    assert result.code == 0
    assert "predictions.csv" in result.stdout + result.stderr


@pytest.fixture
def tables(run: Path) -> dict[str, bytes]:
    """Tables and documents that follow the store, damaged; their contents before."""
    return {name: flip(run / name) for name in ("trials.csv", "epochs.csv", "run.json", "config.toml")}


def test_files_that_differ_from_the_store_are_written_anew_and_named(
    tuner: Run, run: Path, tables: dict[str, bytes]
) -> None:
    found = findings(tuner, 0)["tables"]
    assert found["status"] == "repaired"
    for name, before in tables.items():
        assert name in found["note"]
        assert (run / name).read_bytes() == before
        assert (run / f"damaged-{name}").is_file()


def test_scores_stay_where_the_weights_of_a_finished_trial_are_damaged(tuner: Run, run: Path) -> None:
    before = tuner("leaderboard", "--format", "json").stdout
    weights = next((run / "checkpoints").rglob("best.npz"))
    weights.write_bytes(weights.read_bytes()[:100])
    assert findings(tuner, 0)[f"checkpoint of trial {weights.parent.name}"]["status"] == "repaired"
    assert tuner("leaderboard", "--format", "json").stdout == before
