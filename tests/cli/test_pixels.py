"""`--pixels`: a space that expects scaled pixels, and models that take raw ones."""

import csv
import io
import json

import pytest

from tests.cli.conftest import write_images

pytestmark = pytest.mark.training

SPACE = """
import keras
from keras import layers

def build(hp):
    model = keras.Sequential([
        layers.GlobalAveragePooling2D(),
        layers.Dense(1, activation="sigmoid"),
    ])
    optimizer = keras.optimizers.Adam(hp.Choice("learning_rate", [0.3, 0.2]))
    model.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return model
"""


@pytest.fixture
def searched(tuner, images, tmp_path):
    """A search of that space with pixels from 0 to 1."""
    (tmp_path / "unscaled.py").write_text(SPACE)
    small = ("--data", images, "--max-trials", 1, "--max-epochs", 8, "--batch-size", 8, "--name", "first")
    done = tuner("search", "--space", "unscaled.py", "--pixels", "0..1", "--seed", 3, *small)
    assert done.code == 0, done.stderr
    return done


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_space_without_scaling_learns_and_its_export_takes_raw_pixels(tuner, images, searched, tmp_path):
    run = tmp_path / "results/first"
    assert "0..1" in next(line for line in searched.stderr.splitlines() if line.startswith("pixels"))
    notes = [line for line in searched.stderr.splitlines() if line.startswith("note")]
    assert not [note for note in notes if "pixels" in note]
    evaluation = json.loads((run / "best/evaluation.json").read_text("utf-8"))
    assert evaluation["accuracy"] > 0.6
    predictions = rows((run / "best/predictions.csv").read_text("utf-8"))
    wanted = {f"{images}/{row['path']}": float(row["p.REAL"]) for row in predictions}

    assert tuner("best", "--export", "model.keras").code == 0
    predicted = tuner("predict", "model.keras", images / "test", "--format", "csv")
    assert predicted.code == 0, predicted.stderr
    found = {row["path"]: float(row["p.REAL"]) for row in rows(predicted.stdout)}
    assert found == pytest.approx(wanted, abs=1e-4)
    again = tuner("evaluate", "model.keras", "--data", images, "--format", "json")
    assert again.code == 0, again.stderr
    assert json.loads(again.stdout)["accuracy"] == pytest.approx(evaluation["accuracy"])


def test_other_pixels_are_another_run(tuner, images, searched, tmp_path):
    assert searched.code == 0
    assert "0..1" in (tmp_path / "results/first/config.toml").read_text("utf-8")
    done = tuner(
        *("search", "--space", "unscaled.py", "--data", images, "--pixels=-1..1", "--max-trials", 1),
        *("--max-epochs", 8, "--batch-size", 8, "--seed", 3, "--name", "second"),
        TUNER_REUSE="true",
    )
    assert done.code == 0, done.stderr
    assert "known from earlier runs" not in done.stderr
    assert tuner("report", "first").code == 0
    assert "0..1" in (tmp_path / "results/first/report.html").read_text("utf-8")


def test_pixels_of_a_space_that_scales_them_are_not_scaled_twice(tuner, tmp_path):
    write_images(tmp_path / "data")
    done = tuner("search", "--space", "sequential", "--data", "data", "--pixels", "0..1")
    assert done.code == 2
    (line,) = [line for line in done.error_lines if line.startswith("error")]
    assert "--pixels 0..1" in line
    assert "'sequential'" in line
