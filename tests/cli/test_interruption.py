"""Runs that are stopped from outside and taken up again."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run, command, environment

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
