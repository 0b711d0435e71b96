"""The main job from end to end, on images small enough for a test."""

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Finished, Result, Run, command, environment, run_command, write_images
from tests.pools import Score, stub_pool
from tuner.evaluation.gallery import read_gallery

pytestmark = pytest.mark.training

MAX_TRIALS = 4
MEASURED = ["duration_s", "images_per_s", "started_at"]
# Words in which libraries say what is no concern of a user.
NOISE = ("oneDNN", "cuda", "WARNING", "UserWarning", "tf.function", "absl")
SMALL = ("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")


@pytest.fixture
def run(finished: Finished) -> Path:
    return finished.run


def read(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "trials.csv", dtype={"trial_id": str})


@pytest.fixture
def trials(run: Path) -> pd.DataFrame:
    return read(run)


def test_the_plan_is_said_first_and_kept(finished: Finished, trials: pd.DataFrame) -> None:
    lines = finished.result.stderr.splitlines()
    plan = next(i for i, line in enumerate(lines) if line.startswith("plan"))
    assert "4 trials, at most 6 epochs" in lines[plan]
    assert plan < next(i for i, line in enumerate(lines) if line.startswith("[1/4]"))
    assert len(trials) == MAX_TRIALS
    assert sorted(trials["epochs"]) == [1, 1, 1, 3]


def test_configurations_are_distinct(trials: pd.DataFrame) -> None:
    hyperparameters = [name for name in trials if str(name).startswith("hp.")]
    assert len(hyperparameters) == 8
    assert len(trials[hyperparameters].drop_duplicates()) == MAX_TRIALS


def test_the_end_shows_leaderboard_figures_and_confusion_matrix(finished: Finished) -> None:
    for part in ("Leaderboard of first", "Test split, trial", "at 95 %", "precision", "true \\ predicted"):
        assert part in finished.result.stdout
    assert "tuner best first --export model.keras" in finished.result.stderr


def test_trials_csv_holds_what_a_reviewer_needs(trials: pd.DataFrame) -> None:
    needed = (
        "trial_id status score objective best_epoch epochs rung bracket accuracy loss val_accuracy val_loss "
        "duration_s images_per_s num_params seed started_at error"
    )
    assert set(needed.split()) <= set(trials)
    assert list(trials)[:3] == ["trial_id", "status", "score"]
    assert (trials["status"] == "COMPLETED").all()
    assert (trials["score"] == trials["val_accuracy"]).all()
    assert (trials["objective"] == "val_accuracy").all()
    assert trials["score"].between(0, 1).all()
    assert (trials["images_per_s"] > 0).all()


def test_epochs_csv_has_every_metric_of_every_epoch(run: Path, trials: pd.DataFrame) -> None:
    epochs = pd.read_csv(run / "epochs.csv", dtype={"trial_id": str})
    assert list(epochs) == ["trial_id", "rung", "epoch", "metric", "value"]
    counted = epochs[epochs["metric"] == "val_accuracy"].groupby("trial_id").size()
    assert counted.to_dict() == trials.set_index("trial_id")["epochs"].to_dict()


def test_the_score_is_that_of_the_best_epoch(run: Path, trials: pd.DataFrame) -> None:
    epochs = pd.read_csv(run / "epochs.csv", dtype={"trial_id": str})
    best = epochs[epochs["metric"] == "val_accuracy"].groupby("trial_id")["value"].max()
    assert best.to_dict() == trials.set_index("trial_id")["score"].to_dict()


def test_run_json_says_what_was_run_on_what_with_what(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text("utf-8"))
    assert facts["status"] == "completed"
    assert facts["config"]["max_trials"] == MAX_TRIALS
    assert facts["data"]["class_names"] == ["FAKE", "REAL"]
    assert facts["data"]["positive_class"] == "FAKE"
    assert facts["data"]["counts"]["test"] == {"FAKE": 30, "REAL": 30}
    assert {"tuner", "keras", "keras-tuner", "tensorflow", "numpy"} <= set(facts["versions"])
    assert facts["device"]
    assert facts["seed"] == 7


def test_every_test_figure_follows_from_the_predictions(run: Path) -> None:
    evaluation = json.loads((run / "best" / "evaluation.json").read_text("utf-8"))
    predictions = pd.read_csv(run / "best" / "predictions.csv")
    assert len(predictions) == evaluation["images"] == 60
    assert (predictions["label"] == predictions["predicted"]).mean() == pytest.approx(evaluation["accuracy"])
    matrix = pd.crosstab(predictions["label"], predictions["predicted"])
    for row, true in enumerate(evaluation["class_names"]):
        for column, predicted in enumerate(evaluation["class_names"]):
            found = matrix.get(predicted, pd.Series(dtype=int)).get(true, 0)
            assert found == evaluation["confusion_matrix"][row][column]


def test_the_winner_is_the_trial_with_the_best_validation_score(run: Path, trials: pd.DataFrame) -> None:
    evaluation = json.loads((run / "best" / "evaluation.json").read_text("utf-8"))
    assert trials.set_index("trial_id").loc[evaluation["trial_id"], "score"] == trials["score"].max()


def test_the_most_telling_images_are_kept_with_what_the_model_looked_at(run: Path) -> None:
    gallery = read_gallery(run / "best" / "gallery.npz")
    assert gallery is not None
    assert gallery.method == "Grad-CAM"
    assert {example.label for example in gallery.examples} == {"FAKE", "REAL"}


def test_the_confusion_matrix_is_a_picture(run: Path) -> None:
    assert (run / "best" / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.process
def test_a_search_as_a_command_of_its_own_ends_in_a_model_that_predicts_without_this_package(
    finished: Finished, images: Path, tmp_path: Path, cache: Path
) -> None:
    """A worker in a process trains to the last bit what one inside the tests does."""
    real = partial(subprocess.run, cwd=tmp_path, env=environment(cache), capture_output=True, text=True)
    result = real(command("search", "--config", finished.run / "config.toml"))
    assert result.returncode == 0, result.stderr
    for noise in NOISE:
        assert noise not in result.stderr + result.stdout
    run = tmp_path / "results" / "first"
    pd.testing.assert_frame_equal(
        read(run).drop(columns=MEASURED), read(finished.run).drop(columns=MEASURED), check_exact=True
    )
    predictions = (run / "best" / "predictions.csv").read_text("utf-8")
    assert predictions == (finished.run / "best" / "predictions.csv").read_text("utf-8")
    assert real(command("best", "first", "--export", "model.keras")).returncode == 0
    table = pd.read_csv(run / "best" / "predictions.csv")
    code = f"""
import sys, json
sys.modules["tuner"] = sys.modules["search_spaces"] = None
import keras, numpy as np
from PIL import Image
paths = json.loads(sys.argv[1])
pixels = np.stack([np.asarray(Image.open({str(images)!r} + "/" + path)) for path in paths])
print(json.dumps(keras.models.load_model("model.keras").predict(pixels, verbose=0)[:, 0].tolist()))
"""
    loaded = real([sys.executable, "-c", code, json.dumps(table["path"].tolist())])
    assert loaded.returncode == 0, loaded.stderr
    np.testing.assert_allclose(json.loads(loaded.stdout), table["p.REAL"], atol=1e-5)


def test_the_exported_model_has_a_file_beside_it_that_says_what_it_is(
    finished: Finished, tmp_path: Path, tuner: Run
) -> None:
    result = tuner("best", "first", "--export", tmp_path / "model.keras", cwd=finished.folder)
    assert result.code == 0, result.stderr
    assert (tmp_path / "model.keras").is_file()
    beside = json.loads((tmp_path / "model.json").read_text("utf-8"))
    assert beside["class_names"] == ["FAKE", "REAL"]
    chosen = json.loads((finished.run / "best" / "hyperparameters.json").read_text("utf-8"))
    assert set(beside["hyperparameters"]) == set(chosen)


def test_the_resolved_request_repeats_the_run(
    run: Path, tmp_path: Path, trials: pd.DataFrame, tuner: Run
) -> None:
    result = tuner("search", "--config", run / "config.toml", "--name", "second", "--quiet")
    assert result.code == 0, result.stderr
    again = tmp_path / "results" / "second"
    pd.testing.assert_frame_equal(trials.drop(columns=MEASURED), read(again).drop(columns=MEASURED))
    first, second = (folder / "best" / "predictions.csv" for folder in (run, again))
    assert first.read_text("utf-8") == second.read_text("utf-8")


def test_leaderboard_ranks_and_prints_every_column_as_json(finished: Finished, tuner: Run) -> None:
    result = tuner("leaderboard", "first", "--top", 2, "--format", "json", cwd=finished.folder)
    rows = json.loads(result.stdout)
    assert [row["rank"] for row in rows] == [1, 2]
    assert rows[0]["score"] >= rows[1]["score"]
    assert "hp.learning_rate" in rows[0]


def test_runs_lists_the_run(finished: Finished, tuner: Run) -> None:
    rows = json.loads(tuner("runs", "--format", "json", cwd=finished.folder).stdout)
    first = next(row for row in rows if row["run_id"] == "first")
    assert first["status"] == "completed"
    assert first["trials"] == MAX_TRIALS


def test_a_run_is_never_overwritten(finished: Finished, images: Path, tuner: Run) -> None:
    before = (finished.run / "trials.csv").read_bytes()
    result = tuner("search", "--data", images, "--name", "first", cwd=finished.folder)
    assert result.code == 2
    assert "'first' exists" in result.stderr
    assert (finished.run / "trials.csv").read_bytes() == before


def test_only_the_best_three_keep_their_weights(run: Path, trials: pd.DataFrame) -> None:
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    ranked = trials.sort_values(["score", "trial_id"], ascending=[False, True])
    assert kept == sorted(ranked["trial_id"].head(3))
    assert not list((run / "checkpoints").rglob("state.npz"))


def test_a_dry_run_shows_the_plan_and_leaves_nothing(tuner: Run, images: Path, tmp_path: Path) -> None:
    result = tuner("search", "--data", images, "--dry-run", "--max-trials", 50, "--fidelity", "epochs")
    assert result.code == 0, result.stderr
    assert "50 trials, at most 150 epochs" in result.stderr
    assert list(tmp_path.iterdir()) == []


def rated(values: dict[str, Any], epoch: int) -> float:
    return float(0.5 + 100 * values["learning_rate"] + epoch / 100)


def stubbed(folder: Path, cache: Path, *arguments: object, score: Score = rated) -> Result:
    """A search in a folder that trains nothing."""
    result = run_command("search", *arguments, cwd=folder, cache=cache, pool=stub_pool(score))
    assert result.code == 0, result.stderr
    return result


def test_random_search_gives_every_trial_all_epochs(images: Path, tmp_path: Path, cache: Path) -> None:
    request = ("--algorithm", "random", "--max-trials", 2, "--max-epochs", 2, "--patience", 0, *SMALL)
    result = stubbed(tmp_path, cache, "--data", images, *request, "--name", "random", "--quiet")
    assert result.stderr.startswith("\nReview")
    assert read(tmp_path / "results" / "random")["epochs"].tolist() == [2, 2]


def test_several_workers_try_the_same_configurations_as_one(
    images: Path, tmp_path: Path, cache: Path
) -> None:
    request = ("--data", images, "--max-trials", MAX_TRIALS, "--max-epochs", 3, *SMALL)
    stubbed(tmp_path, cache, *request, "--name", "one")
    result = stubbed(tmp_path, cache, *request, "--name", "two", "--workers", 2)
    assert "2 at a time" in result.stderr
    one, two = (read(tmp_path / "results" / name) for name in ("one", "two"))
    hyperparameters = [name for name in one if str(name).startswith("hp.")]
    pd.testing.assert_frame_equal(two[hyperparameters], one[hyperparameters])
    assert two["status"].tolist() == ["COMPLETED"] * MAX_TRIALS


def test_the_time_limit_ends_the_search_with_what_it_has(
    images: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each trial is one epoch, of three seconds of a clock that nobody waits for."""
    clock = [1e9]

    def score(*_: object) -> float:
        clock[0] += 3
        return 0.5

    monkeypatch.setattr("tuner.tuning.budget.time", SimpleNamespace(monotonic=lambda: clock[0]))
    request = ("--data", images, "--max-trials", 500, "--max-time", "8s", "--name", "short", *SMALL)
    result = stubbed(tmp_path, cache, *request, "--fidelity", "epochs", score=score)
    run = tmp_path / "results" / "short"
    assert json.loads((run / "run.json").read_text("utf-8"))["status"] == "out of time"
    assert len(read(run)) == 3
    assert "accuracy" in result.stdout


def test_a_users_own_space_of_three_classes_works(tuner: Run, tmp_path: Path) -> None:
    write_images(tmp_path / "three", classes=("cat", "dog", "owl"), count=30)
    (tmp_path / "my_space.py").write_text(
        "import keras\n\n"
        "def build_small(hp):\n"
        "    print('built by me')\n"
        "    model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten(),\n"
        "        keras.layers.Dense(hp.Int('units', 8, 16)), keras.layers.Dense(3, activation='softmax')])\n"
        "    model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])\n"
        "    return model\n",
        encoding="utf-8",
    )
    small = ("--max-trials", 2, "--max-epochs", 1)
    result = tuner("search", "--space", "my_space.py:build_small", "--data", "three", *small)
    assert result.code == 0, result.stderr
    assert "built by me" not in result.stdout + result.stderr
    assert "owl" in result.stdout
    (run,) = (tmp_path / "results").iterdir()
    assert run.name.endswith("my-space-three")
    assert "built by me" in (run / "worker.log").read_text("utf-8")


def test_a_space_smaller_than_the_budget_is_searched_to_its_end(
    images: Path, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "small.py").write_text(
        "import keras\n\n"
        "def build(hp):\n"
        "    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1, 'sigmoid')])\n"
        "    rate = hp.Choice('rate', [1e-3, 1e-4])\n"
        "    model.compile(keras.optimizers.SGD(rate), 'binary_crossentropy', metrics=['accuracy'])\n"
        "    return model\n",
        encoding="utf-8",
    )
    request = ("--space", "small.py", "--data", images, "--max-trials", 9, "--max-epochs", 1, "--name", "all")
    result = stubbed(tmp_path, cache, *request, score=lambda values, _: values["rate"])
    assert "space exhausted, 2 of 2" in result.stderr
    assert len(read(tmp_path / "results" / "all")) == 2


def test_the_end_tells_the_pace_and_the_share_of_overhead(finished: Finished) -> None:
    line = next(line for line in finished.result.stderr.splitlines() if "images/s in training steps" in line)
    found = re.fullmatch(r"([\d,]+) images/s in training steps; ([\d.]+)% of \d+:\d\d outside .*", line)
    assert found is not None
    assert int(found[1].replace(",", "")) > 0
    assert 0 < float(found[2]) < 100
