"""What is refused where a run is taken up again, and what is not: moved images, changed code, runs left."""

import json
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import Run, run_command
from tests.pools import stub_pool
from tuner.results.lock import locked
from tuner.results.query import open_run
from tuner.results.schema import STORE_FILE
from tuner.results.store import Store
from tuner.workers.signals import STOPPING

pytestmark = pytest.mark.training

SPACE = """
import keras
from scale_of_mine import SCALE

def build(hp, spec):
    model = keras.Sequential([keras.Input(spec.image_shape), keras.layers.Rescaling(SCALE),
                              keras.layers.Flatten(), keras.layers.Dense(hp.Int("units", 1, 4)),
                              keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
REQUEST = ("--space", "space_of_mine.py", "--algorithm", "grid", "--max-trials", 2, "--max-epochs", 2)


@pytest.fixture
def stub(tmp_path, cache):
    """Run `tuner` with a worker that trains nothing."""
    return partial(run_command, cwd=tmp_path, cache=cache, pool=stub_pool(lambda *_: 0.5))


@pytest.fixture
def cut(stub, images: Path, tmp_path: Path) -> Path:
    """A run out of epochs in its second trial, its space and its images, all in this folder."""
    (tmp_path / "space_of_mine.py").write_text(SPACE)
    (tmp_path / "scale_of_mine.py").write_text("SCALE = 1 / 255\n")
    shutil.copytree(images, tmp_path / "mine")
    begun = stub("search", *REQUEST, "--data", "mine", "--max-epochs-total", 3, "--name", "cut")
    assert begun.code == 0, begun.stderr
    return tmp_path / "results" / "cut"


MORE = ("cut", "--max-epochs-total", 4)
RETRAIN = ("best", "cut", "--retrain", "--seeds", 1)
ENSEMBLE = ("best", "cut", "--ensemble", 2)
ALL_THAT_BUILD_AGAIN = [("resume", *MORE), ("retry", *MORE), RETRAIN, ENSEMBLE]


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_images_that_moved_are_found_where_they_are_said_to_be(stub, cut: Path, command) -> None:
    (cut.parents[1] / "mine").rename(cut.parents[1] / "moved")
    lost = stub(command, *MORE)
    assert lost.code == 2
    assert "'mine'" in lost.error_lines[-1]
    found = stub(command, *MORE, "--data", "moved")
    assert found.code == 0, found.stderr
    facts = open_run(cut).facts
    assert (Path(facts["data"]["source"]).name, facts["config"]["data"]) == ("moved", "moved")
    assert sum(trial.epochs for trial in open_run(cut).trials) == 4


def test_other_images_are_refused_wherever_they_are(stub, cut: Path) -> None:
    other = cut.parents[1] / "other"
    shutil.copytree(cut.parents[1] / "mine", other)
    next((other / "train" / "FAKE").iterdir()).unlink()
    result = stub("resume", *MORE, "--data", "other")
    assert result.code == 2
    assert "data changed" in result.stderr


@pytest.mark.parametrize("name", ["space_of_mine.py", "scale_of_mine.py"])
def test_changed_code_is_refused_by_the_name_of_its_file(stub, cut: Path, name: str) -> None:
    """The hyperparameters and the number of weights stay as they were."""
    path = cut.parents[1] / name
    path.write_text(path.read_text() + "\nSCALE = 1 / 127\n")
    before = (cut / "trials.csv").read_text()
    for command in ALL_THAT_BUILD_AGAIN:
        refused = stub(*command)
        assert refused.code == 2
        assert len(refused.error_lines) == 1
        assert name in refused.stderr
        assert "--accept-changed-code" in refused.stderr
    assert (cut / "trials.csv").read_text() == before
    assert not list(cut.glob("retrained/*/*/evaluation.json"))
    assert not list(cut.glob("ensemble-2/*"))


def test_changed_code_that_is_accepted_is_noted_in_the_run(stub, cut: Path) -> None:
    (cut.parents[1] / "scale_of_mine.py").write_text("SCALE = 1 / 127\n")
    assert stub("resume", *MORE, "--accept-changed-code").code == 0
    (accepted,) = json.loads((cut / "run.json").read_text())["accepted_code"]
    assert (accepted["files"], accepted["trials_before"]) == (["scale_of_mine.py"], 2)
    # It is the code of the run now.
    assert stub("resume", "cut", "--max-epochs-total", 5).code == 0


@pytest.mark.parametrize(("command", "use"), [(RETRAIN, "retraining"), (ENSEMBLE, "ensemble")])
def test_changed_code_that_is_accepted_for_a_model_is_not_that_of_the_trials(
    stub, cut: Path, command, use: str
) -> None:
    (cut.parents[1] / "scale_of_mine.py").write_text("SCALE = 1 / 127\n")
    accepted = stub(*command, "--accept-changed-code")
    assert accepted.code == 0, accepted.stderr
    (noted,) = json.loads((cut / "run.json").read_text())["accepted_code"]
    assert (noted["files"], noted["trials_before"], noted["use"]) == (["scale_of_mine.py"], 2, use)
    assert stub("resume", *MORE).code == 2


def test_what_builds_no_model_again_has_no_code_to_accept(stub, cut: Path) -> None:
    (cut.parents[1] / "scale_of_mine.py").write_text("SCALE = 1 / 127\n")
    assert stub("best", "cut", "--export", "winner.keras").code == 0
    refused = stub("best", "cut", "--accept-changed-code")
    assert refused.code == 2
    assert "--accept-changed-code" in refused.error_lines[-1]


@pytest.mark.usefixtures("cut")
def test_more_trials_than_the_plan_has_are_a_search_that_takes_them_over(stub) -> None:
    for command in ("resume", "retry"):
        result = stub(command, "cut", "--max-trials", 9)
        assert result.code == 2
        for part in ("--max-trials 9", "2 trials", "tuner search --config", "config.toml"):
            assert part in result.stderr


def test_a_run_that_nobody_works_on_is_interrupted(tuner: Run, copy_of_finished: Path) -> None:
    path = copy_of_finished / "results" / "first"
    store = Store(path / STORE_FILE)
    store.set_run({"status": "running"})
    store.close()

    def status() -> str:
        rows = json.loads(tuner("runs", "--format", "json").stdout)
        return str({row["run_id"]: row["status"] for row in rows}["first"])

    assert status() == "interrupted"
    assert "tuner resume first" in tuner("leaderboard", "first").stderr
    with locked(path):
        assert status() == "running"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_a_search_saves_its_state_when_it_is_told_to_end(name: str) -> None:
    assert getattr(signal, name) in STOPPING
