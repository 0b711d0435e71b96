"""What executes in a run or a model of somebody else does so only where the user says --trust."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Finished, Result, Run, run_command
from tuner.results.query import open_run
from tuner.results.schema import SIGNATURE
from tuner.results.store import Store

pytestmark = pytest.mark.training

SPACE = """
from pathlib import Path
import keras
from keras import layers

class Scale(layers.Layer):
    Path("executed").touch()

    def call(self, inputs):
        return inputs / 255

def build(hp):
    inputs = keras.Input((8, 8, 3))
    x = layers.Dense(hp.Int("units", 2, 3), activation="relu")(layers.Flatten()(Scale()(inputs)))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
EXECUTED = Path("executed")


@pytest.fixture(scope="module")
def searched(tmp_path_factory, images, cache):
    """A folder with a space and a run of two trials of it, results/first, made by this user."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "space.py").write_text(SPACE)
    small = ("--max-trials", 2, "--max-epochs", 1, "--algorithm", "random", "--name", "first")
    result = run_command("search", "--space", "space.py", "--data", images, *small, cwd=folder, cache=cache)
    assert result.code == 0, result.stderr
    (folder / EXECUTED).unlink()
    return folder


@pytest.fixture
def mine(searched: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of the search, with a fresh copy of its run in another results folder."""
    shutil.copytree(searched / "results", tmp_path / "results")
    yield searched
    (searched / EXECUTED).unlink(missing_ok=True)


def commands(run: Path, images: Path) -> dict[str, tuple[object, ...]]:
    picture = images / "test" / "FAKE" / "000.png"
    return {
        "resume": ("resume", run),
        "retry": ("retry", run),
        "retrain": ("best", run, "--retrain", "--seeds", 1),
        "ensemble": ("best", run, "--ensemble", 2),
        "export": ("best", run, "--export", run.parent / "model.onnx"),
        "predict": ("predict", run, picture),
        "evaluate": ("evaluate", run, "--data", images),
    }


NAMES = tuple(commands(Path(), Path()))


def refused(result: Result, *named: str) -> None:
    assert result.code == 2, result.stderr
    line = result.error_lines[-1]
    assert all(each in line for each in (*named, "--trust")), line


def change(run: Path, **config: object) -> None:
    """Edit the request in the store of a run, as somebody else could."""
    with closing(Store(run / "run.sqlite")) as store:
        store.set_run({"config": {**store.run()["config"], **config}})


@pytest.mark.parametrize("name", NAMES)
def test_the_code_of_a_stranger_is_not_executed(name, mine, images, tuner: Run, tmp_path):
    command = commands(tmp_path / "results" / "first", images)[name]
    refused(tuner(*command, cwd=mine, TUNER_STATE_DIR=str(tmp_path / "mine")), "first", "space.py")
    assert not (mine / EXECUTED).exists()


@pytest.mark.parametrize("name", ["resume", "predict"])
def test_the_code_of_this_user_is_executed_without_a_question(name, mine, images, tuner: Run, tmp_path):
    result = tuner(*commands(tmp_path / "results" / "first", images)[name], cwd=mine)
    assert result.code == 0, result.stderr
    assert (mine / EXECUTED).exists()


def test_the_code_of_a_stranger_is_executed_where_the_user_trusts_it(mine, images, tuner: Run, tmp_path):
    command = commands(tmp_path / "results" / "first", images)["predict"]
    result = tuner(*command, "--trust", cwd=mine, TUNER_STATE_DIR=str(tmp_path / "mine"))
    assert result.code == 0, result.stderr


def test_a_run_that_goes_on_with_trust_is_the_users_from_then_on(mine, images, tuner: Run, tmp_path):
    run = tmp_path / "results" / "first"
    me = {"cwd": mine, "TUNER_STATE_DIR": str(tmp_path / "mine")}
    assert tuner("resume", run, "--trust", **me).code == 0
    assert tuner(*commands(run, images)["predict"], **me).code == 0


def test_a_run_whose_space_was_edited_is_not_the_users_any_more(mine, tuner: Run, tmp_path):
    (mine / "other.py").write_text(SPACE)
    change(tmp_path / "results" / "first", space="other.py")
    refused(tuner("resume", tmp_path / "results" / "first", cwd=mine), "other.py")
    assert not (mine / EXECUTED).exists()


@pytest.mark.usefixtures("mine")
def test_a_file_of_the_same_name_elsewhere_is_not_the_code_of_the_user(tuner: Run, tmp_path):
    (tmp_path / "space.py").write_text(SPACE)
    refused(tuner("resume", "first", cwd=tmp_path), "space.py")
    assert not (tmp_path / EXECUTED).exists()


def test_a_run_of_a_space_of_this_program_needs_no_trust(copy_of_finished: Path, tuner: Run, tmp_path):
    result = tuner("resume", "first", cwd=copy_of_finished, TUNER_STATE_DIR=str(tmp_path / "mine"))
    assert result.code == 0, result.stderr


@pytest.mark.parametrize(
    "request_", [{"storage": "/nowhere"}, {"cluster": "ray://somewhere:1"}, {"space": "sequential:build"}]
)
def test_a_run_that_removes_or_executes_elsewhere_needs_trust(request_, copy_of_finished: Path, tuner: Run):
    change(copy_of_finished / "results" / "first", **request_)
    refused(tuner("resume", "first", cwd=copy_of_finished))
    refused(tuner("best", "first", "--ensemble", 2, cwd=copy_of_finished))


def test_accepted_code_is_signed_again(mine, images, tuner: Run, tmp_path):
    run = tmp_path / "results" / "first"
    before = (mine / "space.py").read_text()
    (mine / "space.py").write_text(f"{before}\n# changed\n")
    try:
        assert tuner("resume", run, "--accept-changed-code", cwd=mine).code == 0
        assert tuner(*commands(run, images)["predict"], cwd=mine).code == 0
    finally:
        (mine / "space.py").write_text(before)


def test_a_search_without_a_home_folder_says_that_it_is_not_signed(images, cache, tmp_path):
    (tmp_path / "space.py").write_text(SPACE)
    small = ("--max-trials", 1, "--max-epochs", 1, "--algorithm", "random", "--name", "first")
    command = ("search", "--space", "space.py", "--data", images, *small)
    nowhere = {"TUNER_STATE_DIR": "~nobody-of-this-name/state"}
    result = run_command(*command, cwd=tmp_path, cache=cache, **nowhere)
    assert result.code == 0, result.stderr
    assert sum("--trust" in line for line in result.error_lines) == 1
    assert open_run(tmp_path / "results" / "first").facts[SIGNATURE] is None
    refused(run_command("resume", "first", cwd=tmp_path, cache=cache, **nowhere), "space.py")
    assert not list(tmp_path.glob("~*"))


@pytest.fixture(scope="module")
def saved_model(finished: Finished, tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("saved") / "model"
    result = run_command("best", "first", "--export", f"{folder}/", cwd=finished.folder, cache=cache)
    assert result.code == 0, result.stderr
    return folder


def test_a_saved_model_is_loaded_only_with_trust(saved_model, finished: Finished, images, tuner: Run):
    picture = images / "test" / "FAKE" / "000.png"
    run = finished.run
    for command in (
        ("predict", saved_model, picture),
        ("evaluate", saved_model, "--data", images),
        ("evaluate", run, "--data", images, "--compare", saved_model),
    ):
        refused(tuner(*command), str(saved_model))
        result = tuner(*command, "--trust")
        assert result.code == 0, result.stderr
