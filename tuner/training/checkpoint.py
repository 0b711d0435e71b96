"""The resume state of a trial on disk, and its best weights. Written whole or not at all."""

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
    """One finished epoch: metrics with validation under `val_`, seconds, and images trained on.

    `duration_s` is the time of the whole epoch, `train_s` that of its training steps.
    """

    metrics: Metrics
    duration_s: float
    train_s: float
    images: int


History = tuple[Epoch, ...]


@dataclass(frozen=True)
class Snapshot:
    """All that the next epoch depends on, copied: weights and random state, optimizer state."""

    weights: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray]


def take_snapshot(model: Any) -> Snapshot:
    """Copy the state of a model that goes on training."""
    return Snapshot(
        {f"model_{i}": array for i, array in enumerate(_copies(_model_variables(model)))},
        {f"optimizer_{i}": array for i, array in enumerate(_copies(model.optimizer.variables))},
    )


def save(folder: Path, snapshot: Snapshot, history: History, is_best: bool) -> None:
    """Write a snapshot, and the weights once more where this was the best epoch so far.

    Raises:
        StorageError: a file cannot be written.
    """
    save_when_judged(folder, snapshot, lambda: (history, is_best))


def save_when_judged(folder: Path, snapshot: Snapshot, judged: Callable[[], tuple[History, bool]]) -> None:
    """Write a snapshot while its epoch is validated.

    Args:
        judged: Waits for the epochs up to this one, and for whether it is the best of them. What it raises
            leaves everything as it was.

    Raises:
        StorageError: a file cannot be written.
    """
    with replacing(folder / STATE_FILE) as draft:
        with draft.open("wb") as file:
            np.savez(file, **snapshot.weights, **snapshot.optimizer)  # type: ignore[arg-type]
        history, is_best = judged()
        with zipfile.ZipFile(draft, "a") as archive, archive.open("history.npy", "w") as entry:
            text = json.dumps([asdict(epoch) for epoch in history])
            np.lib.format.write_array(entry, np.array(text), allow_pickle=False)
        # First the weights: of an epoch that is not in the state yet, they come out the same once more.
        if is_best:
            with replacing(folder / BEST_FILE) as best, best.open("wb") as file:
                np.savez(file, **snapshot.weights)  # type: ignore[arg-type]


def restore_state(folder: Path, model: Any) -> History:
    """Put a saved state into a freshly built model and return its epochs; none without a usable state."""
    path = folder / STATE_FILE
    try:
        arrays = _read(path)
        history = _history(arrays)
        values = [(v, arrays[f"model_{i}"]) for i, v in enumerate(_model_variables(model))]
        model.optimizer.build(model.trainable_variables)
        values += [(v, arrays[f"optimizer_{i}"]) for i, v in enumerate(model.optimizer.variables)]
    except UNREADABLE:
        return ()
    for variable, value in values:
        variable.assign(value)
    return history


def read_history(folder: Path) -> History:
    """Return the epochs of a saved state, none without a usable one; reads little of the file."""
    path = folder / STATE_FILE
    try:
        with reaching(path), path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return _history(saved)
    except UNREADABLE:
        return ()


def has_best(folder: Path, epochs: int) -> bool:
    """True where a folder has the weights of the best of so many epochs.

    A trial that is trained once more, and was cut short, has those of the best of fewer.
    """
    with reaching(folder):
        if not (folder / BEST_FILE).is_file():
            return False
    history = read_history(folder)
    return not history or len(history) >= epochs


def load_best(folder: Path, model: Any) -> None:
    """Put the weights of the best epoch into a freshly built model.

    Raises:
        StorageError: there are none, or they are damaged.
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
    """True where a checkpoint file is whole."""
    try:
        _read(path)
    except UNREADABLE:
        return False
    return True


def _model_variables(model: Any) -> list[Any]:
    """Weights and random states, in the order of the build; metrics start anew in each epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def _copies(variables: list[Any]) -> list[np.ndarray]:
    """Values that later steps cannot reach; a variable's own `numpy` copies once, other ways twice."""
    return [np.asarray(variable.numpy()) for variable in variables]


def _history(saved: Any) -> History:
    return tuple(Epoch(**epoch) for epoch in json.loads(str(saved["history"])))


def _read(path: Path) -> dict[str, np.ndarray]:
    # Opened here, since np.load leaves a damaged file open.
    with reaching(path), path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
        return dict(saved)
