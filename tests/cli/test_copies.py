"""An official test split that holds copies of training images: counted, and each figure without them too."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from tests.cli.conftest import Result, Run, run_command, write_images
from tuner.statistics.intervals import wilson_interval

pytestmark = pytest.mark.training

COPIES = 10
NEAR = 3
TEST = 60
RUN = Path("results/copied")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, Result]:
    """A folder with data, of whose FAKE test images ten are copies of training images, and a run on them.

    Three of the REAL ones are training images a little darker.
    """
    folder = tmp_path_factory.mktemp("copied")
    data = write_images(folder / "data")
    for number in range(COPIES):
        shutil.copy(data / "train/FAKE" / f"{number:03d}.png", data / "test/FAKE" / f"{number:03d}.png")
    for number in range(NEAR):
        image = Image.open(data / "train/REAL" / f"{number:03d}.png")
        ImageEnhance.Brightness(image).enhance(0.95).save(data / "test/REAL" / f"{number:03d}.png")
    small = ("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100", "--batch-size", 16)
    request = ("--data", data, "--max-epochs", 2, "--name", "copied", *small)
    result = run_command("train", *request, cwd=folder, cache=cache)
    assert result.code == 0, result.stderr
    return folder, result


@pytest.fixture
def folder(searched: tuple[Path, Result], tmp_path: Path) -> Path:
    shutil.copytree(searched[0] / "results", tmp_path / "results")
    return tmp_path


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def by_hand(path: Path) -> tuple[int, int]:
    """Of the images of a predictions.csv that training did not see: those that are right, and all."""
    table = pd.read_csv(path)
    assert table["seen_in_training"].sum() == COPIES
    copied = [f"test/FAKE/{number:03d}.png" for number in range(COPIES)]
    assert sorted(table.loc[table["seen_in_training"] == 1, "path"]) == copied
    others = table[~table["path"].isin(copied)]
    return int((others["label"] == others["predicted"]).sum()), len(others)


def test_the_head_of_a_search_counts_them(searched: tuple[Path, Result]) -> None:
    (line,) = [line for line in searched[1].stderr.splitlines() if line.startswith("copies ")]
    assert f"{COPIES} of {TEST} test images" in line
    assert read(searched[0] / RUN / "run.json")["data"]["seen_test_images"] == COPIES


def test_near_copies_are_counted_in_the_head_and_shown_in_the_report(
    tuner: Run, searched: tuple[Path, Result], folder: Path
) -> None:
    (line,) = [line for line in searched[1].stderr.splitlines() if line.startswith("near ")]
    assert f"{NEAR} of {TEST} test images" in line
    assert read(searched[0] / RUN / "run.json")["data"]["near_test_images"] == NEAR
    assert tuner("report").code == 0
    page = (folder / RUN / "report.html").read_text("utf-8")
    assert re.search(rf"test images like one seen in training</dt>\s*<dd>{NEAR}<", page)


def test_data_show_counts_near_copies_and_names_some(tuner: Run, searched: tuple[Path, Result]) -> None:
    data = searched[0] / "data"
    (line,) = [x for x in tuner("data", "show", data).stdout.splitlines() if x.startswith("near copies ")]
    assert f"{NEAR} of test " in line
    (found,) = json.loads(tuner("data", "show", data, "--format", "json").stdout)["near_copies"]
    assert (found["split"], found["num_images"], found["num_other_class"]) == ("test", NEAR, 0)
    assert found["examples"][0] == ["train/REAL/000.png", "test/REAL/000.png"]


def test_the_figures_of_the_winner_are_given_without_them_too(searched: tuple[Path, Result]) -> None:
    best = searched[0] / RUN / "best"
    correct, images = by_hand(best / "predictions.csv")
    found = read(best / "evaluation.json")
    assert (found["images"], found["without_seen"]["images"]) == (TEST, TEST - COPIES)
    assert found["without_seen"]["seen"] == COPIES
    assert found["without_seen"]["accuracy"] == correct / images
    assert found["without_seen"]["accuracy_interval_95"] == list(wilson_interval(correct, images))
    assert found["without_seen"]["auroc"] != found["auroc"]
    assert f"without them accuracy {correct / images:.2%}" in " ".join(searched[1].stdout.split())


def test_evaluate_gives_them_too_from_the_model_and_from_its_predictions(tuner: Run, folder: Path) -> None:
    expected = read(folder / RUN / "best/evaluation.json")["without_seen"]
    for asked in (("copied",), ("--predictions", folder / RUN / "best/predictions.csv")):
        done = tuner("evaluate", *asked, "--format", "json")
        assert done.code == 0, done.stderr
        found = json.loads(done.stdout)["without_seen"]
        for name in ("seen", "images", "accuracy"):
            assert found[name] == expected[name]
        assert found["auroc"] == pytest.approx(expected["auroc"], abs=0.01)  # in another batch


def test_a_model_trained_anew_its_card_and_the_report_have_them(tuner: Run, folder: Path) -> None:
    done = tuner("best", "--retrain", "--seeds", 1, "--export", "model.keras")
    assert done.code == 0, done.stderr
    (trial,) = read(folder / RUN / "retrained/summary.json")["trials"]
    (seed,) = trial["seeds"]
    correct, images = by_hand(folder / RUN / seed["folder"] / "predictions.csv")
    assert seed["accuracy_without_seen"] == correct / images
    card = (folder / "model.md").read_text("utf-8")
    assert f"accuracy without copies of training images | {correct / images:.4f}" in card
    assert read(folder / "model.json")["test"]["without_seen"]["images"] == images
    assert tuner("report").code == 0
    page = (folder / RUN / "report.html").read_text("utf-8")
    accuracy = read(folder / RUN / "best/evaluation.json")["without_seen"]["accuracy"]
    assert "Accuracy without copies" in page
    assert f"{accuracy:.2%}" in page


def test_where_there_are_none_nothing_is_said(tuner: Run, finished: Any, images: Path) -> None:
    assert "without_seen" not in read(finished.run / "best/evaluation.json")
    assert "seen_in_training" not in (finished.run / "best/predictions.csv").read_text("utf-8")
    assert not [x for x in finished.result.stderr.splitlines() if x.startswith(("copies ", "near "))]
    assert read(finished.run / "run.json")["data"]["near_test_images"] == 0
    shown = json.loads(tuner("data", "show", images, "--format", "json").stdout)
    assert shown["near_copies"] == []
