"""Runs that are taken up again, by whatever name, and what a request may not say."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.training

SPACE = """
import pathlib, time

import keras


def build(hp, spec):
    if hp.Boolean("broken"):
        raise ValueError("broken by its author")
    time.sleep(SLEEP)
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.BinaryAccuracy(name="METRIC")])
    return model
"""


def write_space(folder: Path, metric: str = "accuracy", sleep_s: float = 0) -> str:
    (folder / "space.py").write_text(SPACE.replace("METRIC", metric).replace("SLEEP", str(sleep_s)))
    return "space.py"


@pytest.fixture
def run(tuner: Run, images: Path, tmp_path: Path) -> Path:
    """A run of two trials, of which one failed, that has spent all of its epochs; not in ./results."""
    space = write_space(tmp_path)
    request = ("--space", space, "--algorithm", "grid", "--max-trials", 2, "--max-epochs", 2)
    there = ("--results-dir", "mine", "--name", "spent")
    result = tuner("search", "--data", images, *request, "--max-epochs-total", 2, *there)
    assert result.code == 0, result.stderr
    assert f"tuner best {Path('mine', 'spent')} --export model.keras" in result.stderr
    return tmp_path / "mine" / "spent"


def trials(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "trials.csv", dtype={"trial_id": str})


def test_what_is_spent_stays_spent_and_failures_keep_their_reasons(tuner: Run, run: Path) -> None:
    before = trials(run)
    assert sorted(before["status"]) == ["COMPLETED", "FAILED"]
    refused = tuner("retry", run)
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.error_lines == [
        "error: run 'spent' is out of epochs: its failed trials cannot be run again. Give it more with "
        "--max-time or --max-epochs-total."
    ]
    pd.testing.assert_frame_equal(trials(run), before)
    again = tuner("retry", run, "--max-epochs-total", 5)
    assert again.code == 0, again.stderr
    assert "broken by its author" in " ".join(trials(run)["error"].dropna())


def test_a_winner_whose_weights_are_gone_gets_them_again(tuner: Run, run: Path) -> None:
    before, predictions = trials(run), (run / "best" / "predictions.csv").read_text()
    shutil.rmtree(run / "checkpoints")
    result = tuner("resume", run)
    assert result.code == 0, result.stderr
    pd.testing.assert_frame_equal(trials(run), before)
    assert (run / "best" / "predictions.csv").read_text() == predictions


def test_a_damaged_checkpoint_is_not_paid_for_twice(tuner: Run, run: Path) -> None:
    before = trials(run)
    weights = next((run / "checkpoints").rglob("best.npz"))
    weights.write_bytes(weights.read_bytes()[:100])
    assert tuner("doctor", run).code == 0
    assert tuner("resume", run).code == 0
    told = ["trial_id", "status", "score", "epochs"]
    pd.testing.assert_frame_equal(trials(run)[told], before[told])


def test_the_environment_of_a_search_does_not_change_one_that_is_taken_up(tuner: Run, run: Path) -> None:
    result = tuner("resume", run, TUNER_WORKERS="many", TUNER_MAX_EPOCHS_TOTAL="99")
    assert result.code == 0, result.stderr
    assert trials(run)["epochs"].sum() == 2


def test_the_run_that_one_stands_in_is_called_by_its_name(tuner: Run, run: Path) -> None:
    assert "Leaderboard of spent" in tuner("leaderboard", ".", cwd=run).stdout


def test_a_search_whose_time_is_over_before_its_first_epoch_says_how_to_go_on(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    space = write_space(tmp_path, sleep_s=1.5)
    request = ("--space", space, "--hp", "broken=false", "--max-trials", 1, "--name", "short")
    result = tuner("search", "--data", images, *request, "--max-time", "1s")
    assert result.code == 1
    last = result.error_lines[-1]
    assert last.startswith("error: out of time, 1 of 1 trials begun, and there is no winner yet.")
    assert "tuner resume short --max-time" in last
    assert tuner("resume", "short", "--max-time", "1h").code == 0


def test_a_metric_called_like_a_column_is_refused(tuner: Run, images: Path, tmp_path: Path) -> None:
    space = write_space(tmp_path, metric="score")
    result = tuner("search", "--space", space, "--data", images, "--objective", "val_score:max")
    assert (result.code, result.stdout) == (2, "")
    assert "metric 'score' of the model is called like a column of trials.csv" in result.error_lines[-1]
    assert not any((tmp_path / "results").iterdir())
