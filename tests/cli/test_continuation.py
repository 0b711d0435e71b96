"""Runs that are taken up again, by whatever name, and what a request may not say."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.cli.conftest import Run, run_command
from tests.pools import InlinePool, StubServer, stub_pool
from tuner.training.task import RungDone, TrainTask
from tuner.workers.protocol import Event, WorkerSetup

pytestmark = pytest.mark.training

SPACE = """
import keras


def build(hp, spec):
    if hp.Boolean("broken"):
        raise ValueError("broken by its author")
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.BinaryAccuracy(name="METRIC")])
    return model
"""


def write_space(folder: Path, metric: str = "accuracy") -> str:
    (folder / "space.py").write_text(SPACE.replace("METRIC", metric))
    return "space.py"


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> Path:
    """A folder with a run of two trials, of which one failed, that has spent all of its epochs.

    It is not in ./results, and only to be copied.
    """
    folder = tmp_path_factory.mktemp("spent")
    space = folder / write_space(folder)  # also where the run is copied to, or it would need --trust
    request = ("--space", space, "--algorithm", "grid", "--max-trials", 2, "--max-epochs", 2)
    there = ("--max-epochs-total", 2, "--results-dir", "mine", "--name", "spent")
    result = run_command("search", "--data", images, *request, *there, cwd=folder, cache=cache)
    assert result.code == 0, result.stderr
    assert f"tuner best {Path('mine', 'spent')} --export model.keras" in result.stderr
    return folder


@pytest.fixture
def run(spent: Path, tmp_path: Path) -> Path:
    shutil.copytree(spent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "mine" / "spent"


def trials(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "trials.csv", dtype={"trial_id": str})


def test_what_is_spent_stays_spent_and_failures_keep_their_reasons(tuner: Run, run: Path) -> None:
    before = trials(run)
    assert sorted(before["status"]) == ["COMPLETED", "FAILED"]
    refused = tuner("retry", run)
    assert (refused.code, refused.stdout) == (2, "")
    (line,) = refused.error_lines
    for part in ("'spent'", "out of epochs", "--max-time", "--max-epochs-total"):
        assert part in line
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
    images: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its time has passed on a clock that nobody waits for, before its trial has begun."""
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr("tuner.tuning.budget.time", SimpleNamespace(monotonic=lambda: next(clock)))
    late = partial(run_command, cwd=tmp_path, cache=cache, pool=stub_pool(lambda *_: 0.5))
    request = ("--space", write_space(tmp_path), "--hp", "broken=false", "--max-trials", 1, "--name", "short")
    result = late("search", "--data", images, *request, "--max-time", "1s")
    assert result.code == 1
    for part in ("out of time", "no winner", "tuner resume short --max-time"):
        assert part in result.error_lines[-1]
    assert late("resume", "short", "--max-time", "1h").code == 0


class LateServer(StubServer):
    """Says of each trial that its time is over, as a worker does whose clock runs ahead."""

    def _train(self, task: TrainTask, emit: Callable[[Event], None]) -> Event:  # noqa: ARG002
        return RungDone(task.trial_id, task.rung, 0, False, True, 1, 0.1)


class LatePool(InlinePool):
    def _serve(self, setup: WorkerSetup) -> LateServer:
        return LateServer(setup)


def test_a_trial_that_gets_nowhere_is_not_asked_for_again(images: Path, cache: Path, tmp_path: Path) -> None:
    request = ("--space", write_space(tmp_path), "--hp", "broken=false", "--max-trials", 1, "--name", "late")
    result = run_command(
        *("search", "--data", images, *request, "--max-time", "1h"),
        cwd=tmp_path,
        cache=cache,
        pool=LatePool,
    )
    assert result.code == 1
    assert "out of time" in result.error_lines[-1]
    (line,) = [line for line in result.error_lines if "0001" in line and "epoch" in line]
    assert "None" not in line
    assert "first epoch" in line


def test_a_metric_called_like_a_column_is_refused(tuner: Run, images: Path, tmp_path: Path) -> None:
    space = write_space(tmp_path, metric="score")
    result = tuner("search", "--space", space, "--data", images, "--objective", "val_score:max")
    assert (result.code, result.stdout) == (2, "")
    for part in ("metric 'score'", "trials.csv"):
        assert part in result.error_lines[-1]
    assert not any((tmp_path / "results").iterdir())
