"""A search over a HyperModel with a fit of its own."""

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Finished, Run, run_command

pytestmark = pytest.mark.training

SPACE = """
import keras
import keras_tuner as kt
from keras import layers


class Fitted(kt.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(),
                                  layers.Dense(hp.Int("units", 4, 8)), layers.Dense(1, activation="sigmoid")])
        model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, callbacks=(), **kwargs):
        falls = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
        stops = keras.callbacks.EarlyStopping(min_delta=100.0, patience=3, restore_best_weights=True)
        return model.fit(*args, BATCH, callbacks=[falls, stops, *callbacks], **kwargs)
"""
REQUEST = ("--max-trials", 4, "--max-epochs", 9, "--seed", 3, "--name", "one")


def search(folder: Path, images: Path, cache: Path, batch: str, *request: object) -> Finished:
    (folder / "space.py").write_text(SPACE.replace("BATCH", batch))
    result = run_command(
        "search", "--space", "space.py", "--data", images, *REQUEST, *request, cwd=folder, cache=cache
    )
    assert result.code == 0, result.stderr
    return Finished(folder, result)


def table(finished: Finished, name: str) -> pd.DataFrame:
    return pd.read_csv(finished.folder / "results" / "one" / name, dtype={"trial_id": str})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> Finished:
    folder = tmp_path_factory.mktemp("fitted")
    batch = "batch_size=hp.Choice('batch_size', [5, 10])"
    return search(folder, images, cache, batch, "--fidelity", "epochs")


def test_its_batch_size_is_that_of_the_training(fitted: Finished) -> None:
    trials = table(fitted, "trials.csv")
    assert set(trials["status"]) == {"COMPLETED"}
    assert set(trials["batch_size"]) == {5, 10}
    assert (trials["batch_size"] == trials["hp.batch_size"]).all()


def test_its_callbacks_act_across_rungs_and_end_trials(fitted: Finished) -> None:
    epochs = table(fitted, "epochs.csv")
    rates = epochs[epochs["metric"] == "learning_rate"]
    assert rates["rung"].nunique() > 1
    for epoch, value in zip(rates["epoch"], rates["value"], strict=True):
        assert value == pytest.approx(0.1 / epoch)
    assert rates["epoch"].max() == 4  # the first, and three without a gain


def test_what_it_costs_is_told_once(fitted: Finished) -> None:
    notes = [line for line in fitted.result.error_lines if line.startswith("note")]
    assert len([line for line in notes if "longer" in line or "as long" in line]) == 1
    assert len([line for line in notes if "callbacks" in line]) == 1


def test_a_batch_size_that_is_no_hyperparameter_is_in_the_table_too(
    tmp_path: Path, images: Path, cache: Path
) -> None:
    constant = search(tmp_path, images, cache, "batch_size=12", "--max-trials", 1, "--batch-size", 8)
    assert list(table(constant, "trials.csv")["batch_size"]) == [12]
    assert any("--batch-size 8" in line for line in constant.result.error_lines)


def test_the_winner_is_trained_again_on_all_images(fitted: Finished, tuner: Run) -> None:
    result = tuner("best", "one", "--retrain", cwd=fitted.folder)
    assert result.code == 0, result.stderr
    assert list((fitted.folder / "results" / "one").glob("retrained/*/*/model.keras"))
