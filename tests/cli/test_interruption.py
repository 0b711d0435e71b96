"""Runs that are stopped from outside and taken up again."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run, command, environment
from tuner.results.query import open_run

pytestmark = [pytest.mark.training, pytest.mark.faults]

REQUEST = ("--max-trials", 5, "--max-epochs", 4, "--seed", 3)
MEASURED = ["duration_s", "images_per_s", "started_at"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("undisturbed")
    subprocess.run(
        command("search", "--data", images, *REQUEST, "--name", "whole", "--quiet"),
        cwd=folder,
        env=environment(cache),
        capture_output=True,
        check=True,
    )
    return read(folder / "results" / "whole")


def read(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "trials.csv", dtype={"trial_id": str}).drop(columns=MEASURED)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_a_stopped_run_resumes_to_the_same_end(
    tuner: Run, images: Path, cache: Path, tmp_path: Path, undisturbed: pd.DataFrame, number: signal.Signals
) -> None:
    with subprocess.Popen(
        command("search", "--data", images, *REQUEST, "--name", "cut"),
        cwd=tmp_path,
        env=environment(cache),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("[2/5]"):
                break
        os.kill(process.pid, number)
        rest = process.stderr.read()
        code = process.wait(timeout=30)
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 130
        assert "tuner resume cut" in rest
    result = tuner("resume", "cut")
    assert result.code == 0, result.stderr
    assert "Leaderboard of cut" in result.stdout
    pd.testing.assert_frame_equal(read(tmp_path / "results" / "cut"), undisturbed)


def test_a_second_driver_is_refused_by_name(tuner: Run, images: Path, cache: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("search", "--data", images, "--max-trials", 50, "--name", "busy", "--quiet"),
        cwd=tmp_path,
        env=environment(cache),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    store = tmp_path / "results" / "busy" / "trials.csv"
    while not store.exists():
        assert process.poll() is None
        time.sleep(0.1)
    try:
        result = tuner("resume", "busy")
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert result.code == 2
    assert "'busy' is being worked on" in result.stderr


def test_a_run_whose_data_changed_is_not_resumed(tuner: Run, images: Path, tmp_path: Path) -> None:
    shutil.copytree(images, tmp_path / "mine")
    assert tuner("search", "--data", "mine", "--max-trials", 1, "--max-epochs", 1, "--name", "old").code == 0
    next((tmp_path / "mine" / "train" / "FAKE").iterdir()).unlink()
    result = tuner("resume", "old")
    assert result.code == 2
    assert "the data changed" in result.stderr


def test_a_second_interrupt_ends_the_command_at_once(images: Path, cache: Path, tmp_path: Path) -> None:
    """The first one is on its way out while a space refuses to let go of its worker."""
    with subprocess.Popen(
        command("search", "--data", images, "--max-trials", 50, "--name", "twice"),
        cwd=tmp_path,
        env=environment(cache),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("[1/50]"):
                break
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.wait(timeout=30) == 130
    view = open_run(tmp_path / "results" / "twice")
    assert view.trials[0].status == "COMPLETED"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 and then nothing"], ids=["empty", "cut"])
def test_a_damaged_run_is_named_repaired_and_goes_on_to_the_same_end(
    tuner: Run, images: Path, tmp_path: Path, undisturbed: pd.DataFrame, content: bytes
) -> None:
    """An empty oracle.json makes a Keras Tuner project unloadable."""
    assert tuner("search", "--data", images, *REQUEST, "--name", "cut", "--max-epochs-total", 3).code == 0
    run = tmp_path / "results" / "cut"
    for name in ("run.sqlite", "run.sqlite-wal"):
        (run / name).write_bytes(content)
    result = tuner("resume", "cut")
    assert result.code == 1
    assert "run.sqlite' is damaged" in result.stderr
    assert "tuner doctor results/cut" in result.stderr
    assert "tuner doctor cut" in tuner("runs").stderr
    result = tuner("doctor", "cut", "--format", "json")
    assert result.code == 0, result.stderr
    statuses = {row["checked"]: row["status"] for row in json.loads(result.stdout)}
    assert statuses["run.sqlite"] == "repaired"
    assert tuner("resume", "cut", "--max-epochs-total", 999).code == 0
    pd.testing.assert_frame_equal(read(run), undisturbed)


def test_a_run_without_store_and_backup_says_what_is_left(tuner: Run, images: Path, tmp_path: Path) -> None:
    assert tuner("search", "--data", images, "--max-trials", 1, "--max-epochs", 1, "--name", "gone").code == 0
    for path in (tmp_path / "results" / "gone").glob("run.sqlite*"):
        path.write_bytes(b"")
    result = tuner("doctor", "gone")
    assert result.code == 1
    assert "--warm-start" in result.stdout
    assert "damaged: run.sqlite" in result.stderr


def test_a_damaged_checkpoint_is_found_and_its_trial_trained_again(
    tuner: Run, images: Path, tmp_path: Path, undisturbed: pd.DataFrame
) -> None:
    assert tuner("search", "--data", images, *REQUEST, "--name", "worn").code == 0
    run = tmp_path / "results" / "worn"
    weights = next((run / "checkpoints").rglob("best.npz"))
    weights.write_bytes(weights.read_bytes()[:100])
    (run / "draft-trials.csv").write_text("half a ta")
    rows = json.loads(tuner("doctor", "worn", "--format", "json").stdout)
    repaired = {row["checked"] for row in rows if row["status"] == "repaired"}
    assert repaired == {f"checkpoint of trial {weights.parent.name}", "unfinished files"}
    assert tuner("resume", "worn").code == 0
    pd.testing.assert_frame_equal(read(run), undisturbed)


def test_a_sound_run_is_found_sound(tuner: Run, images: Path) -> None:
    assert (
        tuner("search", "--data", images, "--max-trials", 1, "--max-epochs", 1, "--name", "sound").code == 0
    )
    result = tuner("doctor", "--format", "json")
    assert {row["status"] for row in json.loads(result.stdout)} == {"ok"}


def test_a_run_whose_space_changed_is_not_resumed(tuner: Run, images: Path, tmp_path: Path) -> None:
    """Keras Tuner takes up old trials with a new space and says nothing."""
    space = tmp_path / "mine.py"
    source = (
        "import keras\n\n\n"
        "def build(hp):\n"
        "    rate = hp.Choice('rate', [0.1, 0.2])\n"
        "    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1, 'sigmoid')])\n"
        "    model.compile(keras.optimizers.SGD(rate), 'binary_crossentropy', metrics=['accuracy'])\n"
        "    return model\n"
    )
    space.write_text(source, encoding="utf-8")
    request = ("--space", "mine.py", "--data", images, "--max-trials", 2, "--max-epochs", 1)
    # Glob characters in a path make a Keras Tuner project reload as empty.
    assert tuner("search", *request, "--name", "old", "--results-dir", "my[1]").code == 0
    space.write_text(source.replace("0.2", "0.3"), encoding="utf-8")
    result = tuner("resume", "old", "--results-dir", "my[1]")
    assert result.code == 2
    assert "the search space changed" in result.stderr
    assert "'rate' had values [0.1, 0.2], now [0.1, 0.3]" in result.stderr
    space.write_text(source, encoding="utf-8")
    assert tuner("resume", "old", "--results-dir", "my[1]").code == 0
