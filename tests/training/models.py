"""Tiny models to train, and a way to train them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tests.conftest import SIDE
from tuner.data.dataset import Dataset
from tuner.objective import Objective
from tuner.training.checkpoint import STATE_FILE
from tuner.training.task import EpochDone, RungDone, StepsDone, TrainTask, TrialError
from tuner.training.trial import train

ACCURACY = Objective("val_accuracy", "max")
LOSS = Objective("val_loss", "min")


class Hypermodel:
    """Anything with a build(hp) will do; this one keeps the models that it built."""

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self._build = build
        self.built: list[Any] = []

    def build(self, hp: Any) -> Any:
        self.built.append(self._build(hp))
        return self.built[-1]


def small(
    optimizer: Any = "adam", dropout: float = 0.0, outputs: int = 1, metrics: Any = ("accuracy",)
) -> Any:
    """A compiled classifier; `outputs` of 1 is a sigmoid unit, more are a softmax."""
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(outputs, activation="sigmoid" if outputs == 1 else "softmax"),
        ]
    )
    loss = "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))
    return model


def run(
    folder: Path, build: Callable[[Any], Any], dataset: Dataset, epochs: int = 1, **changes: Any
) -> tuple[RungDone, list[Any]]:
    """Train a trial to `epochs` epochs; return its end and all events before."""
    events: list[Any] = []
    trials = changes.pop("warm", None), changes.pop("following", None)
    hypermodel = build if isinstance(build, Hypermodel) else Hypermodel(build)
    return train(task(folder, epochs, **changes), hypermodel, dataset, events.append, *trials), events


def task(folder: Path, epochs: int = 1, **changes: Any) -> TrainTask:
    """A task with what most tests ask for."""
    facts: dict[str, Any] = {
        "trial_id": "0001",
        "values": {},
        "rung": 0,
        "batch_size": 16,
        "patience": 0,
        "objective": LOSS,
        "seed": 1,
    }
    return TrainTask(epochs=epochs, checkpoint_dir=folder, **{**facts, **changes})


def failure_of(build: Any, dataset: Dataset, folder: Path, **changes: Any) -> TrialError:
    """Train a trial that must fail; return how."""
    with pytest.raises(TrialError) as caught:
        run(folder, build, dataset, **changes)
    return caught.value


def epochs_of(events: list[StepsDone | EpochDone]) -> list[EpochDone]:
    return [event for event in events if isinstance(event, EpochDone)]


def state(folder: Path) -> dict[str, np.ndarray]:
    """All that the next epoch depends on."""
    with np.load(folder / STATE_FILE) as saved:
        return dict(saved)


def assert_same_state(first: Path, second: Path) -> None:
    """Bit for bit, but for the seconds that it took."""
    left, right = state(first), state(second)
    assert left.keys() == right.keys()
    history, other = (json.loads(str(arrays.pop("history"))) for arrays in (left, right))
    assert [epoch["metrics"] for epoch in history] == [epoch["metrics"] for epoch in other]
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)
