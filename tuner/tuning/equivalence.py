"""Which configurations train alike, so that they count as one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import keras_tuner as kt

from tuner.data.dataset import Dataset
from tuner.spaces.configurations import Values, all_values
from tuner.training.optimization import class_weights
from tuner.tuning.plan import Bracket, Plan


@dataclass(frozen=True)
class Training:
    """Facts that decide whether a hyperparameter of the training can change a trial.

    `names` are the hyperparameters of the training. `images` is the number of training images; `balanced` is
    True where all classes have equally many.
    """

    names: Collection[str]
    images: int
    balanced: bool


def training_on(dataset: Dataset, names: Collection[str]) -> Training:
    """Return these facts for a data set."""
    labels = dataset.labels[dataset.splits["train"]]
    weights = class_weights(labels, len(dataset.class_names))
    return Training(names, len(labels), bool((weights == weights[0]).all()))


def trained_values(values: Values, training: Training, plan: Plan) -> Values:
    """Return values by which configurations that train alike in this plan are equal.

    A patience that can end no trial of the plan is left out, and so are class weights where all classes have
    equally many images. A batch size is at most the number of images.
    """
    found = dict(values)
    own = {name for name in training.names if name in found}
    if "patience" in own and not any(_can_stop(int(found["patience"]), each) for each in plan.brackets):
        del found["patience"]
    if "batch_size" in own:
        found["batch_size"] = min(int(found["batch_size"]), training.images)
    if "class_weights" in own and training.balanced:
        del found["class_weights"]
    return found


def without_effect(space: kt.HyperParameters, training: Training, plan: Plan) -> list[str]:
    """Return the names of hyperparameters with several values that all train alike in this plan."""
    found = []
    for parameter in space.space:
        name = parameter.name
        if name in training.names:
            try:
                values = all_values(parameter)
            except ValueError:  # a range that is not listed has values that differ
                continue
            trained = {str(trained_values({name: value}, training, plan)) for value in values}
            if len(values) > 1 and len(trained) == 1:
                found.append(name)
    return found


def _can_stop(patience: int, bracket: Bracket) -> bool:
    """True where this number of epochs without gain can end a trial before its last epoch.

    The first epoch is a gain, and epochs on part of the data prove nothing.
    """
    on_part = max((rung.epochs for rung in bracket.rungs if rung.data_share < 1), default=0)
    return 0 < patience < bracket.rungs[-1].epochs - max(1, on_part)
