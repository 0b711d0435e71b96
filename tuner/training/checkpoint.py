"""The checkpoint of a trial: its resume state and its best weights, each complete or absent."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuner.errors import StorageError
from tuner.files import reaching, replacing

STATE_FILE = "state.npz"
BEST_FILE = "best.npz"
UNREADABLE = (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile)

Metrics = dict[str, float]


@dataclass(frozen=True)
class Epoch:
    """A finished epoch: its metrics, with validation under `val_`, and the number of training images.

    `duration_s` is the time of the whole epoch, `train_s` that of its training steps. `final` is True if the
    training ended with it by itself. A training that is not `resumable` cannot go on from its state.
    """

    metrics: Metrics
    duration_s: float
    train_s: float
    images: int
    final: bool = False
    resumable: bool = True


History = tuple[Epoch, ...]


@dataclass(frozen=True)
class Snapshot:
    """Copies of everything that the next epoch depends on: weights, random state and optimizer state."""

    weights: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray]


def take_snapshot(model: Any) -> Snapshot:
    """Copy the state of a model whose training continues."""
    return Snapshot(
        {f"model_{i}": array for i, array in enumerate(_copies(_model_variables(model)))},
        {f"optimizer_{i}": array for i, array in enumerate(_copies(model.optimizer.variables))},
    )


def save(folder: Path, snapshot: Snapshot, validated: Callable[[], tuple[History, bool]]) -> None:
    """Write a snapshot during the validation of its epoch, and its weights again if the epoch is the best.

    Args:
        validated: Waits for the epochs up to this one, and for True if it is the best of them. An exception
            from it leaves the checkpoint as it was.

    Raises:
        StorageError: a file cannot be written.
    """
    with replacing(folder / STATE_FILE) as draft:
        with draft.open("wb") as file:
            np.savez(file, **snapshot.weights, **snapshot.optimizer)  # type: ignore[arg-type]
        history, is_best = validated()
        with zipfile.ZipFile(draft, "a") as archive, archive.open("history.npy", "w") as entry:
            text = json.dumps([asdict(epoch) for epoch in history])
            np.lib.format.write_array(entry, np.array(text), allow_pickle=False)
        # The weights come first: an epoch that is missing in the state is trained again, to the same weights.
        if is_best:
            with replacing(folder / BEST_FILE) as best, best.open("wb") as file:
                np.savez(file, **snapshot.weights)  # type: ignore[arg-type]


def restore_state(folder: Path, model: Any) -> History:
    """Load a saved state into a new model and return its epochs; none without one from which it can go on."""
    path = folder / STATE_FILE
    try:
        arrays = _read(path)
        history = _history(arrays)
        if not all(epoch.resumable for epoch in history):
            return ()
        values = [(v, arrays[f"model_{i}"]) for i, v in enumerate(_model_variables(model))]
        model.optimizer.build(model.trainable_variables)
        values += [(v, arrays[f"optimizer_{i}"]) for i, v in enumerate(model.optimizer.variables)]
        _check_shapes(values)
    except UNREADABLE:
        return ()
    for variable, value in values:
        variable.assign(value)
    return history


def read_history(folder: Path) -> History:
    """Return the epochs of a saved state, none without a readable one. Reads little of the file."""
    path = folder / STATE_FILE
    try:
        with reaching(path), path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return _history(saved)
    except UNREADABLE:
        return ()


def has_best(folder: Path, epochs: int) -> bool:
    """True if a folder has the best weights of a number of epochs.

    A trial that was interrupted while it was trained again has the best weights of fewer.
    """
    with reaching(folder):
        if not (folder / BEST_FILE).is_file():
            return False
    history = read_history(folder)
    return not history or len(history) >= epochs


def load_best(folder: Path, model: Any) -> None:
    """Load the weights of the best epoch into a new model.

    Raises:
        StorageError: the weights are missing or damaged.
    """
    path = folder / BEST_FILE
    try:
        saved = _read(path)
        values = [(variable, saved[f"model_{i}"]) for i, variable in enumerate(_model_variables(model))]
    except UNREADABLE as error:
        raise StorageError(f"cannot read '{path}': {error}. Repair the run with: tuner doctor") from None
    for variable, value in values:
        variable.assign(value)


def is_readable(path: Path) -> bool:
    """True if a checkpoint file is complete."""
    try:
        _read(path)
    except UNREADABLE:
        return False
    return True


def _model_variables(model: Any) -> list[Any]:
    """Return weights and random states in the order of the build. Each epoch resets the metrics."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def _copies(variables: list[Any]) -> list[np.ndarray]:
    """Return values that later steps cannot change; `numpy` of a variable copies once, other ways twice."""
    return [np.asarray(variable.numpy()) for variable in variables]


def _check_shapes(values: list[tuple[Any, np.ndarray]]) -> None:
    """Refuse the state of another optimizer: a user's own fit may have compiled the model again.

    Raises:
        ValueError: a shape differs.
    """
    for variable, value in values:
        if tuple(variable.shape) != value.shape:
            raise ValueError(f"{variable.path} has another shape")


def _history(saved: Any) -> History:
    return tuple(Epoch(**epoch) for epoch in json.loads(str(saved["history"])))


def _read(path: Path) -> dict[str, np.ndarray]:
    # Opened here, since np.load leaves a damaged file open.
    with reaching(path), path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
        return dict(saved)
