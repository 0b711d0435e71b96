"""Nothing is trained whose result is known from an earlier run."""

import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run

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
RANDOM = ("--algorithm", "random", "--max-trials", 3, "--objective", "val_loss", "--patience", 0)


@pytest.fixture
def search(tuner: Run, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a search in an empty folder; returns what it said and its trials."""
    monkeypatch.chdir(tmp_path)
    Path("space.py").write_text(SPACE)

    def run(name: str, *options: object, max_epochs: int = 2) -> tuple[str, pd.DataFrame]:
        request = (*RANDOM, "--max-epochs", max_epochs, "--name", name, *options)
        result = tuner("search", "--space", "space.py", "--data", images, *request, TUNER_REUSE="true")
        assert result.code == 0, result.stderr
        return result.stderr, pd.read_csv(f"results/{name}/trials.csv", dtype={"trial_id": str})

    return run


def evaluation(name: str) -> dict[str, object]:
    figures: dict[str, object] = json.loads(Path(f"results/{name}/best/evaluation.json").read_text())
    del figures["run_id"]
    del figures["prediction_s"]  # measured
    return figures


RESULTS = ["trial_id", "score", "best_epoch", "epochs", "seed", "hp.units"]


def test_the_same_search_again_trains_nothing_and_ends_the_same(search):
    _, first = search("first")
    said, second = search("second")
    assert "6 epochs were known from earlier runs" in said
    assert list(second["known_epochs"]) == [2, 2, 2]
    assert second[RESULTS].equals(first[RESULTS])
    assert evaluation("first") == evaluation("second")


def test_a_longer_search_trains_only_the_epochs_that_are_new(search):
    search("short")
    _, long = search("long", max_epochs=4)
    assert list(long["known_epochs"]) == [2, 2, 2]
    shutil.rmtree("results/short")
    shutil.rmtree("results/long")
    _, alone = search("alone", max_epochs=4)
    assert list(alone["known_epochs"]) == [0, 0, 0]
    assert alone[RESULTS].equals(long[RESULTS])


def test_a_shorter_search_takes_no_more_than_it_asks_for(search):
    search("long", max_epochs=4)
    _, short = search("short")
    assert list(short["epochs"]) == list(short["known_epochs"]) == [2, 2, 2]


def test_a_winner_whose_weights_were_not_kept_is_trained_again_and_is_the_same(search):
    search("first")
    shutil.rmtree("results/first/checkpoints")
    _, second = search("second")
    assert list(second["known_epochs"]) == [2, 2, 2]
    assert evaluation("first") == evaluation("second")


def test_another_objective_takes_the_same_epochs(search):
    search("first")
    _, second = search("second", "--objective", "val_accuracy")
    assert list(second["known_epochs"]) == [2, 2, 2]


def test_patience_ends_a_trial_among_known_epochs_where_it_would_have_ended(search):
    search("first", max_epochs=6)
    _, known = search("known", "--objective", "loss:max", "--patience", 1, max_epochs=6)
    _, trained = search("trained", "--objective", "loss:max", "--patience", 1, "--no-reuse", max_epochs=6)
    assert known["known_epochs"].sum() > 0
    assert list(trained["known_epochs"]) == [0, 0, 0]
    assert known[RESULTS].equals(trained[RESULTS])


@pytest.mark.parametrize(
    "options",
    [("--no-reuse",), ("--seed", 1), ("--batch-size", 16), ("--precision", "mixed_bfloat16")],
    ids=lambda options: options[0],
)
def test_nothing_is_taken_from_a_run_under_other_conditions(search, options):
    search("first")
    _, second = search("second", *options)
    assert list(second["known_epochs"]) == [0, 0, 0]


def test_nothing_is_taken_from_a_run_that_went_on_under_other_conditions(search, tuner):
    """Its epochs are of two kinds, and nobody knows which is which."""
    search("first", "--max-epochs-total", 3)
    Path("space.py").write_text(SPACE + "\nCHANGED = True\n")
    assert tuner("resume", "first", "--max-epochs-total", 6, cwd=Path.cwd()).code == 0
    Path("space.py").write_text(SPACE)
    _, second = search("second")
    assert list(second["known_epochs"]) == [0, 0, 0]


def test_nothing_is_taken_from_a_run_of_other_code(search):
    search("first")
    Path("space.py").write_text(SPACE.replace('"relu"', '"tanh"'))
    _, second = search("second")
    assert list(second["known_epochs"]) == [0, 0, 0]


def test_epochs_of_an_interrupted_run_are_judged_by_another_objective(search):
    """Its best weights are not those of this objective, so they are trained again."""
    search("cut", "--max-epochs-total", 5, max_epochs=4)
    _, loss = search("other", "--objective", "val_accuracy", "--max-trials", 1, max_epochs=4)
    assert list(loss["known_epochs"]) == [4]
    judged = evaluation("other")
    shutil.rmtree("results/cut")
    shutil.rmtree("results/other")
    _, alone = search("alone", "--objective", "val_accuracy", "--max-trials", 1, max_epochs=4)
    assert alone[RESULTS].equals(loss[RESULTS])
    assert evaluation("alone") == judged


def test_a_trial_that_never_said_how_large_it_is_has_no_size(search):
    """Of a run that was killed in the first rung."""
    search("cut", "--max-trials", 1)
    store = sqlite3.connect("results/cut/run.sqlite")
    store.execute("UPDATE trials SET num_params = NULL")
    store.commit()
    store.close()
    _, taken = search("taken", "--max-trials", 1)
    assert list(taken["known_epochs"]) == [2]
    assert taken["num_params"].isna().all()
