"""Trials that fail, each for a reason of its own, and a search that goes on."""

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run, command, environment

pytestmark = [pytest.mark.training, pytest.mark.faults]

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
FAULTS = {
    "build": ("build", "no such layer"),
    "diverge": ("nan", "loss became nan in epoch 1"),
    "too large": ("oom", "cannot allocate 9 TiB"),
    "hang": ("timeout", "still busy after 2 s"),
    "segfault": ("crash", "killed by SIGSEGV"),
}


@pytest.fixture(scope="module")
def failed(images: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search with one sound configuration and one for each fault."""
    folder = tmp_path_factory.mktemp("failed")
    write_space(folder, *FAULTS)
    request = (
        "--space",
        "faulty.py",
        "--data",
        images,
        *REQUEST,
        "--trial-timeout",
        "2s",
        "--max-failures",
        9,
    )
    subprocess.run(
        command("search", *request), cwd=folder, env=environment(cache), capture_output=True, check=True
    )
    return folder


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_trial_has_its_reason(failed: Path, fault: str) -> None:
    """Keras Tuner's failures carry no reason."""
    trials, (reason, says) = trials_of(failed), FAULTS[fault]
    assert trials.loc[fault, "status"] == "FAILED"
    assert str(trials.loc[fault, "error"]).startswith(f"{reason}: ")
    assert says in str(trials.loc[fault, "error"])


def test_the_search_goes_on_after_failures(failed: Path, tuner: Run) -> None:
    """Three failures in a row end a search of Keras Tuner, and failures use up its budget."""
    assert trials_of(failed).loc["sound", "status"] == "COMPLETED"
    assert "1 of 6 trials, 5 failed" in tuner("leaderboard", cwd=failed).stdout


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
    assert "2 trials in a row failed (1 build, 1 oom)" in result.stderr
    assert "tuner retry run" in result.stderr


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


def test_a_trial_out_of_memory_is_tried_once_more_with_half_the_batch(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "hungry.py").write_text(
        "import keras\n\n\n"
        "class Hungry(keras.Model):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.dense = keras.layers.Dense(1, 'sigmoid')\n\n"
        "    def call(self, images, training=False):\n"
        "        import tensorflow as tf\n\n"
        "        def allocate():\n"
        "            return tf.reduce_sum(tf.random.uniform([2**20, 2**20, 64]))\n\n"
        "        outputs = self.dense(keras.ops.reshape(images, (-1, 192)))\n"
        "        if training:\n"
        "            outputs += tf.cond(tf.shape(images)[0] > 16, allocate, lambda: 0.0)\n"
        "        return outputs\n\n\n"
        "def build(hp):\n"
        "    hp.Choice('rate', [0.1])\n"
        "    model = Hungry()\n"
        "    model.compile('sgd', 'binary_crossentropy', metrics=['accuracy'])\n"
        "    return model\n",
        encoding="utf-8",
    )
    request = ("--space", "hungry.py", "--data", images, "--max-epochs", 1, "--quiet")
    result = tuner("search", *request, "--batch-size", 32, "--name", "half")
    assert result.code == 0, result.stderr
    trials = pd.read_csv(tmp_path / "results" / "half" / "trials.csv")
    assert trials["batch_size"].tolist() == [16]
    assert trials["status"].tolist() == ["COMPLETED"]
    result = tuner("search", *request, "--batch-size", 64, "--name", "quarter")
    assert result.code == 1
    trials = pd.read_csv(tmp_path / "results" / "quarter" / "trials.csv")
    assert trials["batch_size"].tolist() == [32]
    assert trials["error"].str.startswith("oom: ").all()


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
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    request = ("--algorithm", "random", "--max-trials", 9, "--max-epochs", 3, "--patience", 0, "--quiet")
    result = tuner("search", "--data", images, *request, "--max-epochs-total", 4, "--name", "run")
    assert result.code == 0, result.stderr
    trials = pd.read_csv(tmp_path / "results" / "run" / "trials.csv")
    assert trials["epochs"].tolist() == [3, 1]
    assert trials["status"].tolist() == ["COMPLETED", "STOPPED"]
    facts = json.loads((tmp_path / "results" / "run" / "run.json").read_text("utf-8"))
    assert facts["status"] == "out of epochs"
    result = tuner("resume", "run", "--max-epochs-total", 7)
    assert result.code == 0, result.stderr
    trials = pd.read_csv(tmp_path / "results" / "run" / "trials.csv")
    assert trials["epochs"].tolist() == [3, 3, 1]


def test_a_trial_that_hangs_does_not_outlast_the_time_of_the_search(
    tuner: Run, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.search.budget.GRACE_S", 0.5)
    result = tuner(
        "search", "--space", write_space(tmp_path, "hang"), "--data", images, *REQUEST, "--max-time", "5s"
    )
    assert result.code == 0, result.stderr
    assert trials_of(tmp_path).loc["hang", "status"] == "STOPPED"
