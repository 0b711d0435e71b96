"""Trials that would train alike are not trained twice."""

from pathlib import Path

import pytest

from tests.cli.conftest import run_command
from tests.pools import stub_pool
from tuner.results.query import open_run

SPACE = """
import keras

def build(hp, spec):
    model = keras.Sequential([keras.Input(spec.image_shape), keras.layers.Flatten(),
                              keras.layers.Dense(hp.Int("units", 1, 2)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return model

def training(hp):
    hp.Choice("patience", [5, 9])
"""


@pytest.mark.training
def test_patience_that_can_end_no_trial_is_searched_once_and_said(
    images: Path, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "space.py").write_text(SPACE, encoding="utf-8")
    request = ("--algorithm", "grid", "--max-trials", 4, "--max-epochs", 3, "--data", images, "--name", "one")
    result = run_command(
        "search", "--space", "space.py", *request, cwd=tmp_path, cache=cache, pool=stub_pool(lambda *_: 0.5)
    )
    assert result.code == 0, result.stderr
    run = open_run(tmp_path / "results" / "one")
    assert [trial.values["units"] for trial in run.trials] == [1, 2]
    assert [line for line in result.error_lines if line.startswith("patience ")]
