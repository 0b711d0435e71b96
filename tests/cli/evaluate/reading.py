"""What evaluations hold, and models made by hand."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tests.cli.conftest import SIDE, Result, run_command
from tests.pools import stub_pool
from tuner.data.dataset import load_dataset
from tuner.data_options import DataOptions
from tuner.evaluation.corruptions import CORRUPTIONS
from tuner.evaluation.robustness import robustness


def as_json(result: Result) -> Any:
    """What a command printed."""
    assert result.code == 0, result.stderr
    return json.loads(result.stdout)


def save(path, shape=(SIDE, SIDE, 3), outputs=1, **options):
    """A model that was made by hand."""
    import keras

    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(outputs, **options)]
    keras.Sequential(layers).save(path)
    return path


def save_by_brightness(path, bound, trained_on=None, names=("FAKE", "REAL")):
    """A model that takes bright images for REAL."""
    import keras

    layers = [
        keras.Input((SIDE, SIDE, 3)),
        keras.layers.Flatten(),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
    model = keras.Sequential(layers)
    pixels = SIDE * SIDE * 3
    model.layers[-1].set_weights([np.full((pixels, 1), 0.1 / pixels), np.array([-0.1 * bound])])
    model.save(path)
    facts = {"class_names": names, "positive_class": names[0]}
    if trained_on is not None:
        dataset = load_dataset(str(trained_on), DataOptions(image_size=SIDE), channels=3)
        facts["trained_on"] = {"fingerprint": dataset.fingerprint, "seed": 0, "limit": None}
    path.with_suffix(".json").write_text(json.dumps(facts))


def train_untrained(folder, cache, *more):
    """A run in a folder, whose winner has the weights that its model starts with."""
    small = ("--max-epochs", 1, "--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")
    result = run_command(
        *("train", "--space", "sequential", "--quiet", *small, *more),
        cwd=folder,
        cache=cache,
        pool=stub_pool(lambda *_: 0.5),
    )
    assert result.code == 0, result.stderr


def shorten_suite(monkeypatch):
    """Let the suite be of the mildest JPEG and blur alone, where its length does not matter."""
    mild = [replace(corruption, strengths=corruption.strengths[:1]) for corruption in CORRUPTIONS[:2]]
    monkeypatch.setattr("tuner.evaluation.model_evaluation.robustness", partial(robustness, corruptions=mild))
