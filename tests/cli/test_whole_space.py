"""Hyperparameters that only some values bring are searched, and tables show the values that trained."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.conftest import Result, Run, run_command
from tests.pools import stub_pool

pytestmark = pytest.mark.training

HEAD = """
import keras
from keras import layers

def model_of(*middle):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(), *middle,
                              layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model

def build(hp):
"""
LOOP = """
    return model_of(*[layers.Dense(hp.Int(f"units_{i}", 2, 8, step=2)) for i in range(hp.Int("depth", 1, 3))])
"""
# The values that are tried before a search are 1, 9, 17, 24, 32 and 40.
RARE = """
    units = hp.Int("units", 1, 40)
    rare = 1 < units < 9 or 9 < units < 17 or 24 < units < 32
    return model_of(layers.Dense(units), *([layers.Dense(hp.Int("extra", 2, 9))] if rare else []))
"""


def search(tuner: Run, folder: Path, images: Path, source: str, *request: object) -> Result:
    (folder / "space.py").write_text(HEAD + source, encoding="utf-8")
    return tuner(
        *("search", "--space", "space.py", "--data", images, "--name", "one", "--max-epochs", 1), *request
    )


def trials_of(folder: Path) -> Any:
    return pd.read_csv(folder / "results" / "one" / "trials.csv")


@pytest.mark.parametrize("algorithm", ["random", "hyperband", "bayesian", "tpe", "grid"])
def test_layers_of_a_loop_are_searched_and_counted_where_they_exist(
    cache: Path, images: Path, tmp_path: Path, algorithm: str
) -> None:
    tuner = partial(run_command, cwd=tmp_path, cache=cache, pool=stub_pool(lambda *_: 0.5))
    result = search(tuner, tmp_path, images, LOOP, "--algorithm", algorithm, "--max-trials", 12)
    assert result.code == 0, result.stderr
    assert "84 configurations" in result.stderr
    trials = trials_of(tmp_path)
    columns = [name for name in trials if name.startswith("hp.")]
    # A grid walks the small models first.
    numbers = range(2 if algorithm == "grid" else 3)
    assert columns == ["hp.depth", *(f"hp.units_{number}" for number in numbers)]
    assert not trials[columns].duplicated().any()
    for number in numbers:
        assert (trials[f"hp.units_{number}"].notna() == (trials["hp.depth"] > number)).all()
    assert trials["hp.units_1"].nunique() > 1


def test_a_hyperparameter_that_only_a_trial_brings_joins_the_space_and_is_said(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    request = ("--algorithm", "random", "--max-trials", 16, "--max-epochs-total", 8)
    result = search(tuner, tmp_path, images, RARE, *request)
    assert result.code == 0, result.stderr
    before = trials_of(tmp_path)
    found = before["hp.extra"].notna()
    first = found.idxmax()
    assert found[first]
    assert before.loc[first, "hp.extra"] == 2
    assert any(
        f"trial {before.loc[first, 'trial_id']:04d}" in line and "extra" in line
        for line in result.error_lines
        if not line.startswith(("0", "["))
    )
    resumed = tuner("resume", "--max-epochs-total", 16)
    assert resumed.code == 0, resumed.stderr
    after = trials_of(tmp_path)
    assert len(after) == 16
    pd.testing.assert_frame_equal(after[before.columns].head(8), before, check_dtype=False)
    assert after.loc[first + 1 :, "hp.extra"].notna().all()
    assert after.loc[first + 1 :, "hp.extra"].nunique() > 1


def test_a_batch_size_of_the_build_is_that_of_the_training(tuner: Run, images: Path, tmp_path: Path) -> None:
    source = """
    size = hp.Choice("batch_size", [8, 16])
    return model_of(layers.Dense(hp.Int("units", 1, 4)))
"""
    assert search(tuner, tmp_path, images, source, "--algorithm", "grid", "--max-trials", 8).code == 0
    trials = trials_of(tmp_path)
    assert set(trials["batch_size"]) == {8, 16}
    assert (trials["batch_size"] == trials["hp.batch_size"]).all()


def test_a_batch_size_of_the_request_replaces_that_of_the_build(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    source = """
    hp.Choice("batch_size", [8, 16])
    return model_of(layers.Dense(hp.Int("units", 1, 4)))
"""
    request = ("--algorithm", "grid", "--max-trials", 2, "--batch-size", 4)
    assert search(tuner, tmp_path, images, source, *request).code == 0
    trials = trials_of(tmp_path)
    assert set(trials["batch_size"]) == set(trials["hp.batch_size"]) == {4}


@pytest.mark.parametrize("place", ["default", "branch"])
def test_a_number_of_epochs_in_build_is_refused(tuner: Run, images: Path, tmp_path: Path, place: str) -> None:
    condition = "hp.Boolean('long')" if place == "branch" else "True"
    source = f"""
    if {condition}:
        hp.Int("epochs", 1, 3)
    return model_of(layers.Dense(hp.Int("units", 1, 4)))
"""
    result = search(tuner, tmp_path, images, source)
    assert result.code == 2
    assert "--max-epochs" in result.error_lines[-1]
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())


@pytest.mark.process
def test_a_value_that_kills_the_process_of_its_build_does_not_stop_the_search(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    source = """
    import os, signal
    if hp.Choice("kernel", ["fine", "deadly"]) == "deadly":
        os.kill(os.getpid(), signal.SIGSEGV)
    return model_of(*[layers.Dense(hp.Int(f"units_{i}", 2, 4)) for i in range(hp.Int("depth", 1, 2))])
"""
    result = search(tuner, tmp_path, images, source, "--max-trials", 4, "--algorithm", "random")
    assert result.code == 0, result.stderr
    assert [line for line in result.error_lines if line.startswith("note") and "hyperparameter" in line]
    assert "COMPLETED" in set(trials_of(tmp_path)["status"])


def test_a_hyperparameter_without_effect_is_named_in_the_head_of_a_search(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    source = """
    hp.Choice("momentum", [0.0, 0.9])
    return model_of(layers.Dense(hp.Int("units", 1, 4)))
"""
    result = search(tuner, tmp_path, images, source, "--dry-run")
    assert result.code == 0
    assert [line for line in result.error_lines if line.startswith("note") and "'momentum'" in line]
