"""What everybody writes: Keras Tuner's Hyperband over a space, resumed by starting it again.

`python plain_keras_tuner.py FOLDER`: data and space as tests/faults/killing.py makes them. A finished epoch
adds a line "trial epoch" to epochs.log; at the end, ranking.json holds configurations and scores, best first.
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import keras_tuner as kt
import numpy as np


class EpochLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes each finished epoch of a trial."""

    def __init__(self, path: Path, trial_id: str) -> None:
        super().__init__()
        self.path, self.trial_id = path, trial_id

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        with self.path.open("a") as log:
            log.write(f"{self.trial_id} {epoch}\n")


class LoggedHyperband(kt.Hyperband):  # type: ignore[misc]
    """Hyperband that notes its epochs."""

    def run_trial(self, trial: Any, *arguments: Any, **options: Any) -> Any:
        callbacks = [EpochLog(Path(self.directory) / "epochs.log", trial.trial_id)]
        return super().run_trial(trial, *arguments, callbacks=callbacks, **options)


def main(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location("space", folder / "space.py")
    assert spec is not None
    assert spec.loader is not None
    space = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(space)
    with np.load(folder / "two.npz") as data:
        images, labels = data["x"], data["y"]
    order = np.random.default_rng(0).permutation(len(labels))
    train, validation = order[: len(order) * 7 // 10], order[len(order) * 7 // 10 :]
    keras.utils.set_random_seed(1)  # or no two of its searches would come out the same
    shape = SimpleNamespace(image_shape=images.shape[1:], num_classes=2)
    tuner = LoggedHyperband(
        lambda hp: space.build(hp, shape),
        objective=kt.Objective("val_loss", "min"),
        max_epochs=9,
        factor=3,
        seed=1,
        directory=str(folder / "plain"),
        project_name="search",
    )
    tuner.search(
        images[train],
        labels[train],
        batch_size=64,
        validation_data=(images[validation], labels[validation]),
        verbose=0,
    )
    ranked = [(trial.hyperparameters.values, trial.score) for trial in tuner.oracle.get_best_trials(1000)]
    (folder / "plain" / "ranking.json").write_text(json.dumps(ranked), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
