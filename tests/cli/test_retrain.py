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

from tests.cli.conftest import Finished, Run, command, environment, run_command
from tests.cli.retrainings import RUN, seed_folder, summary
from tests.pools import stub_pool
from tuner.training.checkpoint import read_history

pytestmark = pytest.mark.training

SEEDS = (7, 8)
"""That of the search `finished`, and the next."""
# Of a saved model, the bytes hold the time.
MEASURED = ("duration_s", "prediction_s", "files", "checksum")
# A process of its own and that of the tests, in which the search was, have not loaded the same files.
ELSEWHERE = ("best", "--retrain", "--accept-changed-code")


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory, finished: Finished, cache: Path) -> Path:
    """A folder with a search whose best configuration was trained anew with two seeds, undisturbed."""
    folder = tmp_path_factory.mktemp("retrained")
    shutil.copytree(finished.folder / "results", folder / "results")
    retrain(folder, cache)
    return folder


def retrain(folder: Path, cache: Path) -> None:
    result = run_command("best", "--retrain", "--seeds", 2, cwd=folder, cache=cache)
    assert result.code == 0, result.stderr


@pytest.fixture
def work(retrained: Path, tmp_path: Path) -> Path:
    """A folder of its own with the same run and what was made of it."""
    shutil.copytree(retrained / "results", tmp_path / "results")
    return tmp_path


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
    assert [seed["seed"] for seed in trial["seeds"]] == list(SEEDS)
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
    for seed in SEEDS:
        names = {path.name for path in seed_folder(retrained, seed).iterdir()}
        assert names == {"model.keras", "predictions.csv", "evaluation.json"}


def test_what_is_finished_is_taken_as_it_is_and_the_rest_trained(tuner: Run, work):
    kept = {seed: figures(work, seed) for seed in SEEDS}
    times = {seed: (seed_folder(work, seed) / "model.keras").stat().st_mtime_ns for seed in SEEDS}
    result = tuner("best", "--retrain", "--format", "json")
    assert result.code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found == {key: value for key, value in summary(work).items() if key != "checksum"}
    assert [seed["seed"] for seed in found["trials"][0]["seeds"]] == [*SEEDS, 9]
    assert {seed: figures(work, seed) for seed in SEEDS} == kept
    assert {seed: (seed_folder(work, seed) / "model.keras").stat().st_mtime_ns for seed in SEEDS} == times
    assert "[3/3] trial" in result.stderr


@pytest.mark.faults
def test_killed_in_the_middle_and_typed_again_it_ends_with_the_same_figures(
    tuner: Run, long: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
):
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(long / "results", undisturbed / "results")
    retrain(undisturbed, cache)
    process = subprocess.Popen(
        command(*ELSEWHERE, "--seeds", 2),
        cwd=long,
        env=environment(cache),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list((long / RUN / "retrained").glob("*/seed-1/checkpoint/state.npz")):
        assert process.poll() is None
        time.sleep(0.002)  # nothing tells of the checkpoint but the checkpoint
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (seed_folder(long, 1) / "evaluation.json").exists()
    done = read_history(seed_folder(long, 1) / "checkpoint")
    images = counts(long)
    assert {epoch.images for epoch in done} == {images["train"] + images["validation"]}
    finished = (seed_folder(long, 0) / "model.keras").stat().st_mtime_ns
    result = tuner(*ELSEWHERE, "--seeds", 2)
    assert result.code == 0, result.stderr
    assert (seed_folder(long, 0) / "model.keras").stat().st_mtime_ns == finished
    for seed in (0, 1):
        assert figures(long, seed) == figures(undisturbed, seed)
        assert not (seed_folder(long, seed) / "checkpoint").exists()
    assert summary(long) == summary(undisturbed)


@pytest.mark.faults
def test_an_interrupt_says_how_to_go_on(long: Path, cache: Path):
    with subprocess.Popen(
        command(*ELSEWHERE, "--seeds", 50),
        cwd=long,
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
    assert "tuner best first --retrain --seeds 50 --top 1" in rest


def test_several_configurations_are_shown_in_a_table(tuner: Run, copy_of_finished):
    result = tuner("best", "--retrain", "--seeds", 1, "--top", 2)
    assert result.code == 0, result.stderr
    found = summary(copy_of_finished)["trials"]
    assert len(found) == 2
    assert found[0]["score"] >= found[1]["score"]
    assert found[0]["figures"]["accuracy"]["sd"] is None
    for trial in found:
        (heading,) = [line for line in result.stdout.splitlines() if trial["trial_id"] in line]
        assert f" {trial['epochs']} epoch" in heading
        assert f"{trial['seeds'][0]['accuracy']:.4f}" in result.stdout


def test_the_first_seed_is_exported_with_the_spread_of_all_in_its_card(tuner: Run, work, images):
    result = tuner("best", "--retrain", "--seeds", 2, "--export", "model.keras")
    assert result.code == 0, result.stderr
    assert f"seed {SEEDS[0]}" in result.stderr
    facts = json.loads((work / "model.json").read_text("utf-8"))
    found = summary(work)
    assert (facts["threshold"], facts["temperature"]) == (None, None)
    assert facts["retrained"]["figures"] == found["trials"][0]["figures"]
    assert facts["test"]["accuracy"] == found["trials"][0]["seeds"][0]["accuracy"]
    card = (work / "model.md").read_text("utf-8")
    epochs, count = found["trials"][0]["epochs"], found["trained_on"]["images"]
    trained = (f" {count:,} ", f" {epochs} epochs", f"seed {SEEDS[0]}")
    assert any(all(word in line for word in trained) for line in card.splitlines())
    mean = found["trials"][0]["figures"]["accuracy"]
    assert f"| accuracy | {mean['mean']:.4f} | {mean['sd']:.4f} |" in card
    shown = tuner("evaluate", "model.keras", "--data", images, "--format", "json")
    assert shown.code == 0, shown.stderr
    evaluation = json.loads(shown.stdout)
    assert evaluation["accuracy"] == facts["test"]["accuracy"]
    # It has seen the validation images, on which these would be chosen.
    assert "calibrated" not in evaluation
    assert "at_threshold" not in evaluation


SPACE = """
import pathlib

import keras

DONE = pathlib.Path("results/first/retrained/0001/seed-0/evaluation.json")


def build(hp, spec):
    if pathlib.Path("broken").exists() and DONE.exists():
        raise RuntimeError("broken by its author")
    model = keras.Sequential([
        keras.Input(spec.image_shape), keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")
    ])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""


def test_a_failure_is_one_line_and_what_is_finished_stays(
    tuner: Run, tmp_path: Path, images: Path, cache: Path
):
    (tmp_path / "mine.py").write_text(SPACE, "utf-8")
    request = ("--space", "mine.py", "--data", images, "--max-epochs", 1, "--name", "first", "--quiet")
    scored = stub_pool(lambda *_: 0.5)
    assert run_command("train", *request, cwd=tmp_path, cache=cache, pool=scored).code == 0
    (tmp_path / "broken").touch()
    failed = tuner("best", "--retrain", "--seeds", 2)
    assert failed.code == 1
    assert failed.stdout == ""
    for words in ("seed 1", "build", "broken by its author"):
        assert words in failed.error_lines[-1]
    assert "broken by its author" in (tmp_path / RUN / "errors" / "0001-seed-1.txt").read_text("utf-8")
    kept = seed_folder(tmp_path, 0) / "model.keras"
    written = kept.stat().st_mtime_ns
    (tmp_path / "broken").unlink()
    assert tuner("best", "--retrain", "--seeds", 2).code == 0
    assert kept.stat().st_mtime_ns == written
    assert [seed["seed"] for seed in summary(tmp_path)["trials"][0]["seeds"]] == [0, 1]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--seeds", 2), 2, ("--seeds", "--retrain")),
        (("--top", 2), 2, ("--top", "--retrain")),
        (("--max-time", "1h"), 2, ("--max-time", "--retrain")),
        (("--retrain", "--max-time", "soon"), 2, ("--max-time 'soon'", "45m")),
        (("--retrain", "--seeds", 0), 2, ("--seeds",)),
        (("--retrain", "--calibrated", "--export", "model.keras"), 2, ("temperature",)),
        (("--retrain", "--ensemble", 2), 2, ("--retrain", "--ensemble")),
        (("--retrain", "--top", 9), 1, ("1 to 4",)),
        (("--retrain", "--seeds", 9, "--data", "nowhere"), 2, ("nowhere",)),
    ],
)
def test_what_makes_no_sense_is_refused(tuner: Run, arguments, code, words):
    result = tuner("best", *arguments)
    assert result.code == code, result.stderr
    assert result.stdout == ""
    assert len(result.error_lines) == 1, result.stderr
    assert all(word in result.error_lines[0] for word in words)


def test_a_seed_is_evaluated_with_what_the_run_around_it_knows(tuner: Run, work):
    before = json.loads((seed_folder(work, SEEDS[1]) / "evaluation.json").read_text("utf-8"))
    model = seed_folder(work, SEEDS[1]).relative_to(work) / "model.keras"
    shown = tuner("evaluate", model, "--format", "json")
    assert shown.code == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["confusion_matrix"] == before["confusion_matrix"]
    (threshold,) = [line for line in shown.error_lines if line.startswith("Threshold")]
    assert "none" in threshold
    assert "validation" in threshold
    assert "at_threshold" not in found
    assert "calibrated" not in found
    trained = json.loads(tuner("evaluate", model, "--split", "validation", "--format", "json").stdout)
    assert trained["seen_in_training"] == trained["images"] == counts(work)["validation"]
