"""`tuner best --retrain`: the best configurations anew, on all images but those of the test."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run, command, environment, write_images
from tests.cli.searched import RUN, search
from tuner.training.checkpoint import read_history

pytestmark = pytest.mark.training

MEASURED = ("duration_s", "prediction_s")


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A folder with a search whose best configuration was trained anew with two seeds, undisturbed."""
    folder = search(tmp_path_factory.mktemp("retrained"), cache)
    subprocess.run(
        command("best", "--retrain", "--seeds", 2),
        cwd=folder,
        env=environment(cache),
        capture_output=True,
        check=True,
    )
    return folder


@pytest.fixture
def work(retrained: Path, tmp_path: Path) -> Path:
    """A folder of its own with the same run and what was made of it; the images are where they were."""
    shutil.copytree(retrained / "results", tmp_path / "results")
    return tmp_path


@pytest.fixture
def before(work: Path) -> Path:
    """The same run before anything was made of it."""
    shutil.rmtree(work / RUN / "retrained")
    return work


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RUN / "retrained" / "summary.json").read_text("utf-8"))
    return found


def seed_folder(folder: Path, seed: int) -> Path:
    (trial,) = (path for path in (folder / RUN / "retrained").iterdir() if path.is_dir())
    return trial / f"seed-{seed}"


def figures(folder: Path, seed: int) -> dict[str, Any]:
    found = json.loads((seed_folder(folder, seed) / "evaluation.json").read_text("utf-8"))
    return {name: value for name, value in found.items() if name not in MEASURED}


def counts(folder: Path) -> dict[str, int]:
    facts = json.loads((folder / RUN / "run.json").read_text("utf-8"))
    return {split: sum(classes.values()) for split, classes in facts["data"]["counts"].items()}


def epochs_by_hand(folder: Path) -> int:
    trials = pd.read_csv(folder / RUN / "trials.csv").sort_values("score", ascending=False, kind="stable")
    return int(trials.iloc[0]["best_epoch"])


def test_every_seed_is_reported_with_mean_and_spread_that_the_predictions_give(retrained):
    (trial,) = summary(retrained)["trials"]
    assert [seed["seed"] for seed in trial["seeds"]] == [0, 1]
    accuracies, losses = [], []
    for seed in trial["seeds"]:
        table = pd.read_csv(retrained / RUN / seed["folder"] / "predictions.csv")
        assert len(table) == counts(retrained)["test"]
        accuracies.append((table["label"] == table["predicted"]).mean())
        of_truth = np.where(table["label"] == "FAKE", table["p.FAKE"], table["p.REAL"])
        losses.append(-np.log(of_truth).mean())
    assert losses[0] != losses[1]
    for name, values in (("accuracy", accuracies), ("log_loss", losses)):
        assert trial["figures"][name] == pytest.approx(
            {
                "mean": sum(values) / 2,
                "sd": statistics.stdev(values),
                "min": min(values),
                "max": max(values),
            }
        )
        assert [seed[name] for seed in trial["seeds"]] == pytest.approx(values)


def test_it_trains_on_train_and_validation_for_as_many_epochs_as_the_search_needed(retrained):
    found = summary(retrained)
    images = counts(retrained)
    assert found["trained_on"] == {
        "splits": ["train", "validation"],
        "images": images["train"] + images["validation"],
    }
    assert found["trials"][0]["epochs"] == epochs_by_hand(retrained)


def test_only_what_others_need_is_left(retrained):
    for seed in (0, 1):
        names = {path.name for path in seed_folder(retrained, seed).iterdir()}
        assert names == {"model.keras", "predictions.csv", "evaluation.json"}


def test_what_is_finished_is_taken_as_it_is_and_the_rest_trained(tuner: Run, work):
    kept = {seed: figures(work, seed) for seed in (0, 1)}
    times = {seed: (seed_folder(work, seed) / "model.keras").stat().st_mtime_ns for seed in (0, 1)}
    result = tuner("best", "--retrain", "--format", "json")
    assert result.code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found == summary(work)
    assert [seed["seed"] for seed in found["trials"][0]["seeds"]] == [0, 1, 2]
    assert {seed: figures(work, seed) for seed in (0, 1)} == kept
    assert {seed: (seed_folder(work, seed) / "model.keras").stat().st_mtime_ns for seed in (0, 1)} == times
    assert "[3/3] trial" in result.stderr


@pytest.mark.faults
def test_killed_in_the_middle_and_typed_again_it_ends_with_the_same_figures(
    tuner: Run, before: Path, retrained: Path, cache: Path
):
    process = subprocess.Popen(
        command("best", "--retrain", "--seeds", 2),
        cwd=before,
        env=environment(cache),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    retrained_path = before / RUN / "retrained"
    while not list(retrained_path.glob("*/seed-1/checkpoint/state.npz")):
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (seed_folder(before, 1) / "evaluation.json").exists()
    done = read_history(seed_folder(before, 1) / "checkpoint")
    images = counts(before)
    assert {epoch.images for epoch in done} == {images["train"] + images["validation"]}
    finished = (seed_folder(before, 0) / "model.keras").stat().st_mtime_ns
    result = tuner("best", "--retrain", "--seeds", 2)
    assert result.code == 0, result.stderr
    assert (seed_folder(before, 0) / "model.keras").stat().st_mtime_ns == finished
    for seed in (0, 1):
        assert figures(before, seed) == figures(retrained, seed)
        assert not (seed_folder(before, seed) / "checkpoint").exists()
    assert summary(before) == summary(retrained)


@pytest.mark.faults
def test_an_interrupt_says_how_to_go_on(before: Path, cache: Path):
    with subprocess.Popen(
        command("best", "--retrain", "--seeds", 50),
        cwd=before,
        env=environment(cache),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("[1/50]"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=30) == 130
    assert "Continue with: tuner best first --retrain --seeds 50 --top 1" in rest


def test_several_configurations_are_shown_in_a_table(tuner: Run, before):
    result = tuner("best", "--retrain", "--seeds", 1, "--top", 2)
    assert result.code == 0, result.stderr
    found = summary(before)["trials"]
    assert len(found) == 2
    assert found[0]["score"] >= found[1]["score"]
    assert found[0]["figures"]["accuracy"]["sd"] is None
    for trial in found:
        assert f"Trial {trial['trial_id']}, {trial['epochs']} epochs" in result.stdout
        assert f"{trial['seeds'][0]['accuracy']:.4f}" in result.stdout


def test_the_first_seed_is_exported_with_the_spread_of_all_in_its_card(tuner: Run, work, retrained):
    result = tuner("best", "--retrain", "--seeds", 2, "--export", "model.keras")
    assert result.code == 0, result.stderr
    assert "seed 0, the first" in result.stderr
    facts = json.loads((work / "model.json").read_text("utf-8"))
    found = summary(work)
    assert (facts["threshold"], facts["temperature"]) == (None, None)
    assert facts["retrained"]["figures"] == found["trials"][0]["figures"]
    assert facts["test"]["accuracy"] == found["trials"][0]["seeds"][0]["accuracy"]
    card = (work / "model.md").read_text("utf-8")
    epochs, images = found["trials"][0]["epochs"], found["trained_on"]["images"]
    assert (
        f"training and validation images together, {images:,} of them, for {epochs} epochs with seed 0"
        in card
    )
    mean = found["trials"][0]["figures"]["accuracy"]
    assert f"| accuracy | {mean['mean']:.4f} | {mean['sd']:.4f} |" in card
    shown = tuner("evaluate", "model.keras", "--data", retrained / "images", "--format", "json")
    assert shown.code == 0, shown.stderr
    evaluation = json.loads(shown.stdout)
    assert evaluation["accuracy"] == facts["test"]["accuracy"]
    # It has seen the validation images, on which these would be chosen.
    assert "calibrated" not in evaluation
    assert "at_threshold" not in evaluation


SPACE = """
import pathlib

import keras

builds = []


def build(hp, spec):
    builds.append(1)
    if pathlib.Path("broken").exists() and len(builds) > 1:
        raise RuntimeError("broken by its author")
    model = keras.Sequential([
        keras.Input(spec.image_shape), keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")
    ])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""


def test_a_failure_is_one_line_and_what_is_finished_stays(tuner: Run, tmp_path: Path):
    (tmp_path / "mine.py").write_text(SPACE, "utf-8")
    write_images(tmp_path / "images")
    request = ("--space", "mine.py", "--data", "images", "--max-epochs", 1, "--name", "first")
    assert tuner("train", *request, "--quiet").code == 0
    assert tuner("best", "--retrain", "--seeds", 1).code == 0
    kept = figures(tmp_path, 0)
    (tmp_path / "broken").touch()
    failed = tuner("best", "--retrain", "--seeds", 2)
    assert failed.code == 1
    assert failed.stdout == ""
    assert "seed 1 cannot be trained again: build: " in failed.error_lines[-1]
    assert "broken by its author" in failed.error_lines[-1]
    assert "broken by its author" in (tmp_path / RUN / "errors" / "0001-seed-1.txt").read_text("utf-8")
    (tmp_path / "broken").unlink()
    assert tuner("best", "--retrain", "--seeds", 2).code == 0
    assert figures(tmp_path, 0) == kept


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--seeds", 2), 2, "--seeds says what --retrain is to train"),
        (("--top", 2), 2, "--top says what --retrain is to train"),
        (("--retrain", "--seeds", 0), 2, "--seeds"),
        (("--retrain", "--calibrated", "--export", "model.keras"), 2, "none to choose a temperature on"),
        (("--retrain", "--ensemble", 2), 2, "Choose one"),
        (("--retrain", "--top", 9), 1, "Allowed: 1 to 3"),
        (("--retrain", "--seeds", 9, "--data", "nowhere"), 2, "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(tuner: Run, arguments, code, words):
    result = tuner("best", *arguments)
    assert result.code == code, result.stderr
    assert result.stdout == ""
    assert len(result.error_lines) == 1, result.stderr
    assert words in result.error_lines[0]


def test_a_seed_is_evaluated_with_what_the_run_around_it_knows(tuner: Run, work):
    before = json.loads((seed_folder(work, 1) / "evaluation.json").read_text("utf-8"))
    model = seed_folder(work, 1).relative_to(work) / "model.keras"
    shown = tuner("evaluate", model, "--format", "json")
    assert shown.code == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["confusion_matrix"] == before["confusion_matrix"]
    assert "Threshold  none: the model was trained on the validation images too" in shown.stderr
    assert "at_threshold" not in found
    assert "calibrated" not in found
    trained = json.loads(tuner("evaluate", model, "--split", "validation", "--format", "json").stdout)
    assert trained["seen_in_training"] == trained["images"] == counts(work)["validation"]
