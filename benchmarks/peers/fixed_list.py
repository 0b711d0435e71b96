"""Keras Tuner over a list of configurations."""

from __future__ import annotations

from typing import Any

import keras_tuner as kt

from benchmarks.peers.task import PeerTask
from search_spaces import DataSpec, sequential


class ListOracle(kt.Oracle):  # type: ignore[misc]
    """Hands out a list of configurations in its order."""

    def __init__(self, configurations: tuple[dict[str, Any], ...]) -> None:
        super().__init__(objective="val_accuracy", max_trials=len(configurations))
        self._left = list(configurations)

    def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002
        if not self._left:
            return {"status": "STOPPED"}
        return {"status": "RUNNING", "values": self._left.pop(0)}


def make_tuner(task: PeerTask, directory: str) -> kt.Tuner:
    """Return a tuner over `sequential` that trains the configurations of a task."""
    spec = DataSpec(task.image_shape, task.num_classes)
    return kt.Tuner(
        oracle=ListOracle(task.configurations),
        hypermodel=lambda hp: sequential.build(hp, spec),
        directory=directory,
        project_name="search",
    )
