"""The resume state of a trial on disk, and its best weights. Written whole or not at all."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuner.errors import StorageError
from tuner.files import replacing

STATE_FILE = "state.npz"
BEST_FILE = "best.npz"
UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)

Metrics = dict[str, float]


@dataclass(frozen=True)
class Epoch:
    """One finished epoch: its metrics, seconds in all, and seconds in training steps."""

    metrics: Metrics
    duration_s: float
    train_s: float


@dataclass(frozen=True)
class Progress:
    """How far a trial has come: each finished epoch, and whether it stopped by itself."""

    history: tuple[Epoch, ...] = ()
    stopped_early: bool = False

    @property
    def epochs(self) -> int:
        return len(self.history)


def save_state(folder: Path, model: Any, progress: Progress) -> None:
    """Write weights, random state, optimizer state and progress: all that the next epoch depends on.

    Raises:
        StorageError: the file cannot be written.
    """
    arrays = {f"model_{i}": array for i, array in enumerate(_values(_model_variables(model)))}
    arrays |= {f"optimizer_{i}": array for i, array in enumerate(_values(model.optimizer.variables))}
    note = json.dumps(asdict(progress))
    _write(folder / STATE_FILE, {**arrays, "progress": np.array(note)})


def restore_state(folder: Path, model: Any) -> Progress:
    """Put a saved state into a freshly built model and return its progress, empty without a usable state."""
    path = folder / STATE_FILE
    try:
        arrays = _read(path)
        note = json.loads(str(arrays["progress"]))
        values = [(v, arrays[f"model_{i}"]) for i, v in enumerate(_model_variables(model))]
        model.optimizer.build(model.trainable_variables)
        values += [(v, arrays[f"optimizer_{i}"]) for i, v in enumerate(model.optimizer.variables)]
    except UNREADABLE:
        return Progress()
    for variable, value in values:
        variable.assign(value)
    return Progress(tuple(Epoch(**epoch) for epoch in note["history"]), note["stopped_early"])


def save_best(folder: Path, model: Any) -> None:
    """Keep the weights of the best epoch so far.

    Raises:
        StorageError: the file cannot be written.
    """
    _write(folder / BEST_FILE, {f"model_{i}": a for i, a in enumerate(_values(_model_variables(model)))})


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
        raise StorageError(
            f"cannot read '{path}': {error}. Repair the run with: tuner doctor {folder.parents[1]}"
        ) from None
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


def _values(variables: list[Any]) -> list[np.ndarray]:
    import keras

    return [keras.ops.convert_to_numpy(variable.value) for variable in variables]


def _read(path: Path) -> dict[str, np.ndarray]:
    # Opened here, since np.load leaves a damaged file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
        return dict(saved)


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
