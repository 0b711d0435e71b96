"""Runs that are stopped from outside and taken up again."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.conftest import Result, Run, command, environment, run_command
from tests.pools import InlinePool, stub_pool
from tuner.results.lock import locked
from tuner.results.query import open_run

pytestmark = pytest.mark.training

SMALL = ("--hp", "filters=20|40", "--hp", "units_1=100|200", "--hp", "units_2=100")
REQUEST = ("--max-trials", 4, "--max-epochs", 3, "--seed", 3, "--batch-size", 16, *SMALL)
ONE = ("--max-trials", 1, "--max-epochs", 1, *SMALL)
MEASURED = ["duration_s", "images_per_s", "started_at"]


def rated(values: dict[str, Any], epoch: int) -> float:
    return float(values.get("learning_rate", 0.0) + epoch / 100)


def inside(*arguments: object, cwd: Path, cache: Path, stub: bool = False) -> Result:
    """Run `tuner` with workers in this process, and see that it ends well."""
    result = run_command(*arguments, cwd=cwd, cache=cache, pool=stub_pool(rated) if stub else InlinePool)
    assert result.code == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> Path:
    """The results of a search that nobody disturbed, only to be copied."""
    folder = tmp_path_factory.mktemp("undisturbed")
    inside("search", "--data", images, *REQUEST, "--name", "whole", cwd=folder, cache=cache)
    return folder / "results"


@pytest.fixture(scope="module")
def undisturbed(whole: Path) -> pd.DataFrame:
    return read(whole / "whole")


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> Path:
    """The results of the same search, out of epochs in the midst of it, only to be copied."""
    folder = tmp_path_factory.mktemp("cut")
    request = (*REQUEST, "--max-epochs-total", 3, "--name", "cut")
    inside("search", "--data", images, *request, cwd=folder, cache=cache)
    return folder / "results"


def read(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "trials.csv", dtype={"trial_id": str}).drop(columns=MEASURED)


@contextmanager
def search_at(
    said: str, folder: Path, cache: Path, images: Path, *request: object
) -> Iterator[subprocess.Popen[str]]:
    """A search in a process of its own that has said so far."""
    with subprocess.Popen(
        command("search", "--data", images, *request),
        cwd=folder,
        env=environment(cache),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            assert any(line.startswith(said) for line in process.stderr), "the search ended by itself"
            yield process
        finally:
            process.kill()


@pytest.mark.faults
@pytest.mark.parametrize("name", ["SIGINT", "SIGUSR1", "SIGTERM", "SIGKILL"])
def test_a_stopped_run_resumes_to_the_same_end(
    images: Path, cache: Path, tmp_path: Path, undisturbed: pd.DataFrame, name: str
) -> None:
    """It is begun by a worker in a process, and ended by one inside the tests, which trains the same."""
    number = signal.Signals[name]
    with search_at("[2/4]", tmp_path, cache, images, *REQUEST, "--name", "cut") as process:
        process.send_signal(number)
        _, rest = process.communicate(timeout=30)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert "tuner resume cut" in rest
    run = open_run(tmp_path / "results" / "cut")
    assert run.facts["status"] == "interrupted"
    begun = run.trials
    assert len(begun) < 4 or sum(trial.epochs for trial in begun) < undisturbed["epochs"].sum()
    # A process of its own and that of the tests have not loaded the same files.
    result = inside("resume", "cut", "--accept-changed-code", cwd=tmp_path, cache=cache)
    assert "Leaderboard of cut" in result.stdout
    pd.testing.assert_frame_equal(read(tmp_path / "results" / "cut"), undisturbed)


@pytest.mark.faults
def test_a_search_keeps_others_off_its_run_until_a_second_interrupt_ends_it_at_once(
    tuner: Run, images: Path, cache: Path, tmp_path: Path
) -> None:
    """The first one is on its way out while a space refuses to let go of its worker."""
    request = ("--max-trials", 50, "--fidelity", "epochs", *SMALL, "--name", "twice")
    with search_at("[1/50]", tmp_path, cache, images, *request) as process:
        refused = tuner("resume", "twice")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert refused.code == 2
    assert "'twice' is being worked on" in refused.stderr
    assert open_run(tmp_path / "results" / "twice").trials[0].status == "COMPLETED"


def test_a_second_driver_is_refused_by_name(tuner: Run, copy_of_finished: Path) -> None:
    with locked(copy_of_finished / "results" / "first"):
        result = tuner("resume", "first")
    assert result.code == 2
    assert "'first' is being worked on" in result.stderr


def test_a_run_whose_data_changed_is_not_resumed(
    tuner: Run, images: Path, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(images, tmp_path / "mine")
    inside("search", "--data", "mine", *ONE, "--name", "old", cwd=tmp_path, cache=cache, stub=True)
    next((tmp_path / "mine" / "train" / "FAKE").iterdir()).unlink()
    result = tuner("resume", "old")
    assert result.code == 2
    assert "data changed" in result.stderr


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 and then nothing"], ids=["empty", "cut"])
def test_a_damaged_run_is_named_repaired_and_goes_on_to_the_same_end(
    tuner: Run, cut: Path, tmp_path: Path, undisturbed: pd.DataFrame, content: bytes
) -> None:
    """An empty oracle.json makes a Keras Tuner project unloadable."""
    shutil.copytree(cut, tmp_path / "results")
    run = tmp_path / "results" / "cut"
    for name in ("run.sqlite", "run.sqlite-wal"):
        (run / name).write_bytes(content)
    result = tuner("resume", "cut")
    assert result.code == 1
    for part in ("run.sqlite' is damaged", "tuner doctor results/cut"):
        assert part in result.stderr
    assert "tuner doctor results/cut" in tuner("runs").stderr
    result = tuner("doctor", "cut", "--format", "json")
    assert result.code == 0, result.stderr
    statuses = {row["checked"]: row["status"] for row in json.loads(result.stdout)}
    assert statuses["run.sqlite"] == "repaired"
    assert len(read(run)) < len(undisturbed)
    assert tuner("resume", "cut", "--max-epochs-total", 999).code == 0
    pd.testing.assert_frame_equal(read(run), undisturbed)


def test_a_run_without_store_and_backup_says_what_is_left(tuner: Run, copy_of_finished: Path) -> None:
    for path in (copy_of_finished / "results" / "first").glob("run.sqlite*"):
        path.write_bytes(b"")
    result = tuner("doctor", "first")
    assert result.code == 1
    assert "--warm-start" in result.stdout
    assert "damaged: run.sqlite" in result.stderr


def test_a_damaged_checkpoint_is_found_and_its_trial_trained_again(
    tuner: Run, whole: Path, tmp_path: Path, undisturbed: pd.DataFrame
) -> None:
    shutil.copytree(whole, tmp_path / "results")
    run = tmp_path / "results" / "whole"
    weights = next((run / "checkpoints").rglob("best.npz"))
    weights.write_bytes(weights.read_bytes()[:100])
    (run / "draft-0123abcd-trials.csv").write_text("half a ta")
    rows = json.loads(tuner("doctor", "whole", "--format", "json").stdout)
    repaired = {row["checked"] for row in rows if row["status"] == "repaired"}
    assert repaired == {f"checkpoint of trial {weights.parent.name}", "unfinished files"}
    assert tuner("resume", "whole").code == 0
    pd.testing.assert_frame_equal(read(run), undisturbed)


def test_a_sound_run_is_found_sound(tuner: Run, copy_of_finished: Path) -> None:
    result = tuner("doctor", "--format", "json", cwd=copy_of_finished)
    assert {row["status"] for row in json.loads(result.stdout)} == {"ok"}


def test_a_run_whose_space_changed_is_not_resumed(
    tuner: Run, images: Path, cache: Path, tmp_path: Path
) -> None:
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
    request = ("--space", "mine.py", "--data", images, "--max-trials", 2, "--max-epochs", 1, "--name", "old")
    # Glob characters in a path make a Keras Tuner project reload as empty.
    there = ("--results-dir", "my[1]")
    inside("search", *request, *there, cwd=tmp_path, cache=cache, stub=True)
    space.write_text(source.replace("0.2", "0.3"), encoding="utf-8")
    result = tuner("resume", "old", *there)
    assert result.code == 2
    for part in ("space changed", "'rate'", "[0.1, 0.2]", "[0.1, 0.3]"):
        assert part in result.stderr
    space.write_text(source, encoding="utf-8")
    inside("resume", "old", *there, cwd=tmp_path, cache=cache, stub=True)
