"""Classes of uneven size from the first line of a search to the card of its model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Finished, Result, Run, run_command

pytestmark = pytest.mark.training

VERDICT = "guessing the larger class"


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 images of FAKE and 90 of REAL that nothing tells apart, without splits."""
    path = tmp_path_factory.mktemp("uneven") / "uneven.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 3), np.uint8)
    np.savez(path, x=pixels, y=np.repeat([0, 1], [10, 90]), class_names=np.array(["FAKE", "REAL"]))
    return path


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, uneven: Path, cache: Path) -> Finished:
    folder = tmp_path_factory.mktemp("searched")
    small = ("--max-epochs", 1, "--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")
    result = run_command("train", "--data", uneven, "--name", "first", *small, cwd=folder, cache=cache)
    assert result.code == 0, result.stderr
    return Finished(folder, result)


def notes(result: Result) -> list[str]:
    return [line for line in result.error_lines if line.startswith("note")]


def test_the_head_of_a_search_tells_that_classes_are_uneven_and_samples_small(searched: Finished) -> None:
    told = "\n".join(notes(searched.result))
    for part in (
        "20 validation images",
        "1 test image of class 'FAKE'",
        "90 of 'REAL'",
        "--class-weights auto",
    ):
        assert part in told


def test_a_run_keeps_the_sentences_on_its_samples(searched: Finished) -> None:
    kept = json.loads((searched.run / "run.json").read_text("utf-8"))["data"]["notes"]
    assert [note for note in kept if "--class-weights auto" in note]


def test_class_weights_are_not_advised_where_they_are_given(tuner: Run, uneven: Path) -> None:
    result = tuner("search", "--data", uneven, "--class-weights", "auto", "--max-trials", 1, "--dry-run")
    assert result.code == 0, result.stderr
    assert [note for note in notes(result) if "90 of 'REAL'" in note]
    assert "--class-weights" not in result.stderr


def test_a_search_that_found_nothing_says_so(searched: Finished) -> None:
    assert VERDICT in " ".join(searched.result.stdout.split())
    assert VERDICT in json.loads((searched.run / "best/evaluation.json").read_text("utf-8"))["verdict"]


def test_the_report_has_the_verdict_and_the_sentences_on_the_samples(
    searched: Finished, tmp_path: Path, cache: Path
) -> None:
    shutil.copytree(searched.folder / "results", tmp_path / "results")
    result = run_command("report", "first", cwd=tmp_path, cache=cache)
    assert result.code == 0, result.stderr
    page = (tmp_path / "results/first/report.html").read_text("utf-8")
    for part in (VERDICT, "20 validation images", "1 test image of class"):
        assert part in page


def test_the_card_of_a_model_holds_its_verdict(searched: Finished, tmp_path: Path, cache: Path) -> None:
    target = tmp_path / "model.keras"
    result = run_command("best", "--export", target, cwd=searched.folder, cache=cache)
    assert result.code == 0, result.stderr
    assert VERDICT in target.with_suffix(".md").read_text("utf-8")


def test_an_evaluation_says_that_the_model_guesses(
    searched: Finished, uneven: Path, tmp_path: Path, cache: Path
) -> None:
    other = shutil.copy(uneven, tmp_path / "other.npz")
    for data, told in ((uneven, 1), (f"{uneven},{other}", 2)):
        result = run_command("evaluate", "first", "--data", data, cwd=searched.folder, cache=cache)
        assert result.code == 0, result.stderr
        assert " ".join(result.stdout.split()).count(VERDICT) == told
