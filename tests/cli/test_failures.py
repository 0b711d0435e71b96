"""Trials that fail, each for a reason of its own, and a search that goes on."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.conftest import Run, run_command
from tests.pools import stub_pool

pytestmark = pytest.mark.training

# What the configuration `fault` does when it is built or trained.
SPACE = """
import os, pathlib, signal, time

import keras


def build(hp, spec):
    fault = hp.Choice("fault", ["sound", *FAULTS])
    start = 0.0
    if fault == "build":
        raise ValueError("no such layer")
    if fault == "diverge":
        start = float("nan")
    if fault == "too large":
        raise MemoryError("cannot allocate 9 TiB")
    if fault == "hang":
        time.sleep(3600)
    if fault == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "mended" and not pathlib.Path("mended").exists():
        raise ValueError("not mended yet")
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(1, "sigmoid", bias_initializer=keras.initializers.Constant(start)),
    ])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return model
"""


def write_space(folder: Path, *faults: str) -> str:
    source = SPACE.replace("*FAULTS", ", ".join(map(repr, faults)))
    (folder / "faulty.py").write_text(source, encoding="utf-8")
    return "faulty.py"


def trials_of(folder: Path, name: str = "run") -> pd.DataFrame:
    path = folder / "results" / name / "trials.csv"
    return pd.read_csv(path, dtype={"trial_id": str}).set_index("hp.fault")


REQUEST = ("--algorithm", "grid", "--max-trials", 9, "--max-epochs", 2, "--name", "run", "--quiet")
RAISED = {
    "build": ("build", "no such layer"),
    "diverge": ("nan", "in epoch 1"),
    "too large": ("oom", "cannot allocate 9 TiB"),
}
# These take a process with them.
FATAL = {"hang": ("timeout", "2 s"), "segfault": ("crash", "SIGSEGV")}


@pytest.fixture(scope="module")
def failed(images: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search with one sound configuration and one for each fault that is raised."""
    folder = tmp_path_factory.mktemp("failed")
    request = ("--space", write_space(folder, *RAISED), "--data", images, *REQUEST, "--max-failures", 9)
    result = run_command("search", *request, cwd=folder, cache=cache)
    assert result.code == 0, result.stderr
    return folder


@pytest.mark.parametrize("fault", RAISED)
def test_a_failed_trial_has_its_reason(failed: Path, fault: str) -> None:
    """Keras Tuner's failures carry no reason."""
    assert_failed(trials_of(failed), fault, *RAISED[fault])


def assert_failed(trials: pd.DataFrame, fault: str, reason: str, says: str) -> None:
    assert trials.loc[fault, "status"] == "FAILED"
    assert str(trials.loc[fault, "error"]).startswith(f"{reason}: ")
    assert says in str(trials.loc[fault, "error"])


@pytest.mark.faults
def test_a_trial_that_takes_its_worker_with_it_fails_alone(tuner: Run, images: Path, tmp_path: Path) -> None:
    request = ("--space", write_space(tmp_path, *FATAL), "--data", images, *REQUEST)
    result = tuner("search", *request, "--trial-timeout", "2s")
    assert result.code == 0, result.stderr
    trials = trials_of(tmp_path)
    for fault, (reason, says) in FATAL.items():
        assert_failed(trials, fault, reason, says)
    assert trials.loc["sound", "status"] == "COMPLETED"


def test_the_search_goes_on_after_failures(failed: Path, tuner: Run) -> None:
    """Three failures in a row end a search of Keras Tuner, and failures use up its budget."""
    assert trials_of(failed).loc["sound", "status"] == "COMPLETED"
    assert "1 of 4 trials, 3 failed" in tuner("leaderboard", cwd=failed).stdout


def test_the_traceback_of_a_failure_is_kept(failed: Path) -> None:
    trial_id = str(trials_of(failed).loc["build", "trial_id"])
    kept = (failed / "results" / "run" / "errors" / f"{trial_id}.txt").read_text("utf-8")
    assert 'raise ValueError("no such layer")' in kept


def test_too_many_failures_in_a_row_end_the_search_with_the_reasons_counted(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    space = write_space(tmp_path, "build", "too large")
    result = tuner("search", "--space", space, "--data", images, *REQUEST, "--max-failures", 2)
    assert result.code == 1
    assert len(result.error_lines) == 1
    for part in ("2 trials", "1 build", "1 oom", "tuner retry run"):
        assert part in result.stderr


def test_failed_trials_are_run_again_on_request(tuner: Run, images: Path, tmp_path: Path) -> None:
    tuner("search", "--space", write_space(tmp_path, "mended"), "--data", images, *REQUEST)
    assert trials_of(tmp_path).loc["mended", "status"] == "FAILED"
    (tmp_path / "mended").touch()
    result = tuner("retry", "run", "--quiet")
    assert result.code == 0, result.stderr
    trials = trials_of(tmp_path)
    assert trials["status"].tolist() == ["COMPLETED", "COMPLETED"]
    assert trials["error"].isna().all()
    assert trials["epochs"].tolist() == [2, 2]


HUNGRY = """
import keras


def full():
    raise MemoryError("no room")


class Hungry(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, "sigmoid")

    def build(self, shape):
        self.dense.build((None, 192))

    def call(self, images, training=False):
        import tensorflow as tf

        def allocate():
            return ALLOCATED

        outputs = self.dense(keras.ops.reshape(images, (-1, 192)))
        if training:
            outputs += tf.cond(tf.shape(images)[0] > 16, allocate, lambda: 0.0)
        return outputs


def build(hp):
    hp.Choice("rate", [0.1])
    model = Hungry()
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return model
"""


def search_hungry(
    tuner: Run, images: Path, folder: Path, batch_size: int, allocated: str
) -> tuple[int, pd.Series[Any]]:
    """Search the one configuration of a model whose training takes up ever so much with batches above 16.

    Returns:
        The exit code, and the trial.
    """
    (folder / "hungry.py").write_text(HUNGRY.replace("ALLOCATED", allocated), encoding="utf-8")
    request = ("--space", "hungry.py", "--data", images, "--max-epochs", 1, "--quiet")
    result = tuner("search", *request, "--batch-size", batch_size, "--name", batch_size)
    trials = pd.read_csv(folder / "results" / str(batch_size) / "trials.csv")
    assert len(trials) == 1
    return result.code, trials.iloc[0]


def test_a_trial_out_of_memory_is_tried_once_more_with_half_the_batch(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    """TensorFlow tells of it as it does of memory of its own."""
    raised = "tf.ensure_shape(tf.py_function(full, [], tf.float32), ())"
    code, trial = search_hungry(tuner, images, tmp_path, 32, raised)
    assert (code, trial["batch_size"], trial["status"]) == (0, 16, "COMPLETED")
    code, trial = search_hungry(tuner, images, tmp_path, 64, raised)
    assert (code, trial["batch_size"], trial["status"]) == (1, 32, "FAILED")
    assert trial["error"].startswith("oom: ")


@pytest.mark.faults
def test_memory_that_tensorflow_cannot_have_is_what_a_smaller_batch_saves(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    """TensorFlow waits ten seconds for memory before it gives up."""
    huge = "tf.reduce_sum(tf.random.uniform([2**20, 2**20, 64]))"
    code, trial = search_hungry(tuner, images, tmp_path, 32, huge)
    assert (code, trial["batch_size"], trial["status"]) == (0, 16, "COMPLETED")


@pytest.mark.faults
def test_the_memory_of_a_worker_is_limited(tuner: Run, images: Path, tmp_path: Path) -> None:
    (tmp_path / "hoards.py").write_text(
        "import time\n\nimport keras\nimport numpy as np\n\n\n"
        "def build(hp):\n"
        "    if hp.Choice('hoards', ['no', 'yes']) == 'yes':\n"
        "        hoard = np.ones(3 * 2**30, np.uint8)\n"
        "        time.sleep(3600)\n"
        "    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1, 'sigmoid')])\n"
        "    model.compile('sgd', 'binary_crossentropy', metrics=['accuracy'])\n"
        "    return model\n",
        encoding="utf-8",
    )
    result = tuner("search", "--space", "hoards.py", "--data", images, *REQUEST, "--worker-memory", "3GiB")
    assert result.code == 0, result.stderr
    trials = pd.read_csv(tmp_path / "results" / "run" / "trials.csv").set_index("hp.hoards")
    assert str(trials.loc["yes", "error"]).startswith("oom: the worker took")
    assert trials.loc["no", "status"] == "COMPLETED"


def test_the_epochs_of_a_search_are_limited_inside_a_trial_too(
    images: Path, cache: Path, tmp_path: Path
) -> None:
    stub = partial(run_command, cwd=tmp_path, cache=cache, pool=stub_pool(lambda _, epoch: epoch / 10))
    request = ("--algorithm", "random", "--max-trials", 9, "--max-epochs", 3, "--patience", 0, "--quiet")
    small = ("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100", "--name", "run")
    result = stub("search", "--data", images, *request, *small, "--max-epochs-total", 4)
    assert result.code == 0, result.stderr
    run = tmp_path / "results" / "run"
    trials = pd.read_csv(run / "trials.csv")
    assert trials["epochs"].tolist() == [3, 1]
    assert trials["status"].tolist() == ["COMPLETED", "STOPPED"]
    facts = json.loads((run / "run.json").read_text("utf-8"))
    assert facts["status"] == "out of epochs"
    result = stub("resume", "run", "--max-epochs-total", 7)
    assert result.code == 0, result.stderr
    assert pd.read_csv(run / "trials.csv")["epochs"].tolist() == [3, 3, 1]


@pytest.mark.faults
def test_a_trial_that_hangs_does_not_outlast_the_time_of_the_search(
    tuner: Run, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.tuning.budget.GRACE_S", 0.5)
    result = tuner(
        "search", "--space", write_space(tmp_path, "hang"), "--data", images, *REQUEST, "--max-time", "5s"
    )
    assert result.code == 0, result.stderr
    assert trials_of(tmp_path).loc["hang", "status"] == "STOPPED"
