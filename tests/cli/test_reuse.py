"""Nothing is trained whose result is known from an earlier run."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.conftest import run_command
from tests.pools import InlinePool, stub_pool
from tuner.results.store_file import connect
from tuner.training.task import RungDone, TrainTask
from tuner.workers.protocol import Event, WorkerSetup
from tuner.workers.serve import Server

pytestmark = pytest.mark.training

SPACE = """
import keras
from keras import layers

def build(hp, spec):
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(hp.Int("units", 1, 8), activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
REQUEST = ("--algorithm", "random", "--max-trials", 3, "--objective", "val_loss", "--patience", 0)
RESULTS = ["trial_id", "score", "best_epoch", "epochs", "seed", "hp.units"]

Search = Callable[..., tuple[str, pd.DataFrame]]


def rising(values: dict[str, Any], epoch: int) -> float:
    return float(0.4 + values["units"] / 100 + epoch / 50)


STUB = stub_pool(rising)


def search_in(
    folder: Path,
    pool: type[InlinePool],
    images: Path,
    cache: Path,
    name: str,
    *options: object,
    epochs: int = 2,
) -> tuple[str, pd.DataFrame]:
    """Run a search; returns what it said and its trials."""
    request = ("--space", "space.py", "--data", images, *REQUEST, "--max-epochs", epochs, "--name", name)
    result = run_command("search", *request, *options, cwd=folder, cache=cache, pool=pool, TUNER_REUSE="true")
    assert result.code == 0, result.stderr
    return result.stderr, pd.read_csv(folder / f"results/{name}/trials.csv", dtype={"trial_id": str})


@pytest.fixture(scope="module", autouse=True)
def first(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> Path:
    """The results of a search of six epochs a trial, only to be copied."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "space.py").write_text(SPACE)
    search_in(folder, STUB, images, cache, "first", epochs=6)
    return folder / "results"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("space.py").write_text(SPACE)
    return tmp_path


@pytest.fixture
def search(images: Path, cache: Path, here: Path) -> Search:
    """Search in an empty folder; the scores of its trials have a formula."""
    return partial(search_in, here, STUB, images, cache)


@pytest.fixture
def train(images: Path, cache: Path, here: Path) -> Search:
    """Search in an empty folder, with real trials."""
    return partial(search_in, here, InlinePool, images, cache)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> tuple[Path, pd.DataFrame]:
    """A search with real trials, only to be copied: its folder and its trials."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "space.py").write_text(SPACE)
    _, trials = search_in(folder, InlinePool, images, cache, "first")
    return folder / "results", trials


def evaluation(name: str) -> dict[str, object]:
    figures: dict[str, object] = json.loads(Path(f"results/{name}/best/evaluation.json").read_text())
    del figures["run_id"]
    del figures["prediction_s"]  # measured
    del figures["files"], figures["checksum"]  # a saved model holds the time
    return figures


def test_the_same_search_again_trains_nothing_and_ends_the_same(train, trained):
    results, before = trained
    shutil.copytree(results, "results")
    said, second = train("second")
    assert "6 epochs known" in said
    assert list(second["known_epochs"]) == [2, 2, 2]
    assert second[RESULTS].equals(before[RESULTS])
    assert evaluation("first") == evaluation("second")


def test_a_longer_search_trains_only_the_epochs_that_are_new(train, trained):
    shutil.copytree(trained[0], "results")
    _, long = train("long", epochs=3)
    assert list(long["known_epochs"]) == [2, 2, 2]
    shutil.rmtree("results")
    _, alone = train("alone", epochs=3)
    assert list(alone["known_epochs"]) == [0, 0, 0]
    assert alone[RESULTS].equals(long[RESULTS])


def test_a_shorter_search_takes_no_more_than_it_asks_for(search, first):
    shutil.copytree(first, "results")
    _, short = search("short")
    assert list(short["epochs"]) == list(short["known_epochs"]) == [2, 2, 2]


def test_a_winner_whose_weights_were_not_kept_is_trained_again_and_is_the_same(train, trained):
    shutil.copytree(trained[0], "results")
    shutil.rmtree("results/first/checkpoints")
    _, second = train("second")
    assert list(second["known_epochs"]) == [2, 2, 2]
    assert evaluation("first") == evaluation("second")


def test_another_objective_takes_the_same_epochs(search, first):
    shutil.copytree(first, "results")
    _, second = search("second", "--objective", "val_accuracy")
    assert list(second["known_epochs"]) == [2, 2, 2]


def test_patience_ends_a_trial_among_known_epochs_where_it_would_have_ended(search, first):
    shutil.copytree(first, "results")
    impatient = ("--objective", "val_loss:max", "--patience", 1)
    _, known = search("known", *impatient, epochs=6)
    _, anew = search("anew", *impatient, "--no-reuse", epochs=6)
    assert list(known["known_epochs"]) == list(known["epochs"]) == [2, 2, 2]
    assert list(anew["known_epochs"]) == [0, 0, 0]
    assert known[RESULTS].equals(anew[RESULTS])


@pytest.mark.parametrize(
    "options",
    [("--no-reuse",), ("--seed", 1), ("--batch-size", 16), ("--precision", "mixed_bfloat16")],
    ids=lambda options: options[0],
)
def test_nothing_is_taken_from_a_run_under_other_conditions(search, first, options):
    shutil.copytree(first, "results")
    _, second = search("second", "--max-trials", 1, *options)
    assert list(second["known_epochs"]) == [0]


@pytest.mark.parametrize(
    ("between", "known"), [("", [2, 2]), ("\nCHANGED = True\n", [0, 0])], ids=["the same", "others"]
)
def test_all_or_nothing_is_taken_from_a_run_that_went_on_under_the_same_or_other_conditions(
    search, cache, between, known
):
    """Its epochs are of two kinds, and nobody knows which is which."""
    search("first", "--max-trials", 2, "--max-epochs-total", 1)
    Path("space.py").write_text(SPACE + between)
    more = ("first", "--max-epochs-total", 4, "--accept-changed-code")
    assert run_command("resume", *more, cwd=Path.cwd(), cache=cache, pool=STUB).code == 0
    Path("space.py").write_text(SPACE)
    _, second = search("second", "--max-trials", 2)
    assert list(second["known_epochs"]) == known


def test_nothing_is_taken_from_a_run_of_other_code(search, first):
    shutil.copytree(first, "results")
    Path("space.py").write_text(SPACE.replace('"relu"', '"tanh"'))
    _, second = search("second")
    assert list(second["known_epochs"]) == [0, 0, 0]


def test_epochs_of_an_interrupted_run_are_judged_by_another_objective(train):
    """Its best weights are not those of this objective, so they are trained again."""
    train("cut", "--max-epochs-total", 5, epochs=4)
    one = ("--objective", "val_accuracy", "--max-trials", 1)
    _, other = train("other", *one, epochs=4)
    assert list(other["known_epochs"]) == [4]
    judged = evaluation("other")
    shutil.rmtree("results")
    _, alone = train("alone", *one, epochs=4)
    assert alone[RESULTS].equals(other[RESULTS])
    assert evaluation("alone") == judged


def test_what_an_algorithm_learns_does_not_depend_on_what_is_known_or_where_it_was_cut_off(search, cache):
    Path("space.py").write_text(SPACE.replace('"units", 1, 8', '"units", 1, 50'))
    request = ("--algorithm", "tpe", "--max-trials", 16)
    _, whole = search("whole", *request)
    _, again = search("again", *request)
    assert list(again["known_epochs"]) == list(again["epochs"])
    assert again[RESULTS].equals(whole[RESULTS])
    # Between two trials, each time.
    _, cut = search("cut", *request, "--no-reuse", "--max-epochs-total", 2)
    for epochs in range(4, 34, 2):
        more = ("resume", "cut", "--max-epochs-total", epochs)
        assert run_command(*more, cwd=Path.cwd(), cache=cache, pool=STUB).code == 0
    cut = pd.read_csv("results/cut/trials.csv", dtype={"trial_id": str})
    assert cut[RESULTS].equals(whole[RESULTS])


class SlowServer(Server):
    """Has time for no more than one epoch of a trial that is trained again."""

    def _train(self, task: TrainTask, emit: Callable[[Event], None]) -> Event:
        if task.left_s is None or task.epochs_reported < task.epochs:
            return super()._train(task, emit)
        done = super()._train(replace(task, epochs=1), emit)
        assert isinstance(done, RungDone)
        return replace(done, timed_out=True)


class SlowPool(InlinePool):
    def _serve(self, setup: WorkerSetup) -> Server:
        return SlowServer(setup)


def test_time_that_ends_before_a_known_winner_has_weights_ends_the_search(train, images, cache):
    """What there is of them then is not taken for those of the winner, and is not trained again."""
    train("cut", "--max-epochs-total", 5, epochs=4)
    one = ("--objective", "val_accuracy", "--max-trials", 1, "--max-epochs", 4)
    request = ("--space", "space.py", "--data", images, *REQUEST, *one, "--name", "other")
    ran = partial(run_command, cwd=Path.cwd(), cache=cache, TUNER_REUSE="true")
    slow = ran("search", *request, "--max-time", "1h", pool=SlowPool)
    assert slow.code == 1
    for part in ("out of time", "0001", "tuner resume other --max-time"):
        assert part in slow.error_lines[-1]
    assert not Path("results/other/best/evaluation.json").exists()
    resumed = ran("resume", "other", "--max-time", "2h", pool=InlinePool)
    assert resumed.code == 0, resumed.stderr
    judged = evaluation("other")
    shutil.rmtree("results")
    train("alone", *one, epochs=4)
    assert evaluation("alone") == judged


def test_a_trial_that_never_said_how_large_it_is_has_no_size(search):
    """Of a run that was killed in the first rung."""
    search("cut", "--max-trials", 1)
    store = connect(Path("results/cut/run.sqlite"))
    store.execute("UPDATE trials SET num_params = NULL")
    store.commit()
    store.close()
    _, taken = search("taken", "--max-trials", 1)
    assert list(taken["known_epochs"]) == [2]
    assert taken["num_params"].isna().all()
