"""The resume state of a trial on disk, and its best weights. Written whole or not at all."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STATE_FILE = "state.npz"
BEST_FILE = "best.npz"

Metrics = dict[str, float]


@dataclass(frozen=True)
class Progress:
    """How far a trial has come: the metrics of each finished epoch, and whether it stopped by itself."""

    history: tuple[Metrics, ...] = ()
    stopped_early: bool = False

    @property
    def epochs(self) -> int:
        return len(self.history)


def save_state(folder: Path, model: Any, progress: Progress) -> None:
    """Write weights, random state, optimizer state and progress: all that the next epoch depends on."""
    arrays = {f"model_{i}": array for i, array in enumerate(_values(_model_variables(model)))}
    arrays |= {f"optimizer_{i}": array for i, array in enumerate(_values(model.optimizer.variables))}
    note = json.dumps({"history": progress.history, "stopped_early": progress.stopped_early})
    _write(folder / STATE_FILE, {**arrays, "progress": np.array(note)})


def restore_state(folder: Path, model: Any) -> Progress:
    """Put a saved state into a freshly built model and return its progress, empty without a usable state."""
    path = folder / STATE_FILE
    try:
        # Opened here, since np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            arrays = dict(saved)
        note = json.loads(str(arrays["progress"]))
        values = [(v, arrays[f"model_{i}"]) for i, v in enumerate(_model_variables(model))]
        model.optimizer.build(model.trainable_variables)
        values += [(v, arrays[f"optimizer_{i}"]) for i, v in enumerate(model.optimizer.variables)]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return Progress()
    for variable, value in values:
        variable.assign(value)
    return Progress(tuple(note["history"]), note["stopped_early"])


def save_best(folder: Path, model: Any) -> None:
    """Keep the weights of the best epoch so far."""
    _write(folder / BEST_FILE, {f"model_{i}": a for i, a in enumerate(_values(_model_variables(model)))})


def load_best(folder: Path, model: Any) -> None:
    """Put the weights of the best epoch into a freshly built model.

    Raises:
        OSError: there are none.
    """
    with np.load(folder / BEST_FILE, allow_pickle=False) as saved:
        for i, variable in enumerate(_model_variables(model)):
            variable.assign(saved[f"model_{i}"])


def _model_variables(model: Any) -> list[Any]:
    """Weights and random states, in the order of the build; metrics start anew in each epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def _values(variables: list[Any]) -> list[np.ndarray]:
    import keras

    return [keras.ops.convert_to_numpy(variable.value) for variable in variables]


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    with draft.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    draft.replace(path)
