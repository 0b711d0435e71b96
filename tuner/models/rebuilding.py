"""A model of a run, built again from the code of its space, with the weights of its file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner as kt

from search_spaces import DataSpec
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.training.averaging import average
from tuner.training.build import build_model
from tuner.training.compute import DEFAULT_COMPUTE, use_precision
from tuner.tuning.trusted_run import TrustedRun


@dataclass(frozen=True)
class _Images:
    """The properties of a data set that a build needs."""

    image_shape: tuple[int, ...]
    class_names: tuple[str, ...]


def rebuild(run: TrustedRun, configurations: Sequence[dict[str, Any]], weights: Path) -> Any:
    """Return a compiled model in float32.

    Args:
        configurations: Values by hyperparameter: of one trial, or of each member of an ensemble.
        weights: A .keras file of the same model.

    Raises:
        SpaceError: the space cannot be found or imported.
        TrialError: it builds no model any more.
        ValueError: it builds a model with other weights.
    """
    use_precision(DEFAULT_COMPUTE.precision)
    data = run.facts["data"]
    images: Any = _Images(tuple(data["image_shape"]), tuple(data["class_names"]))
    height, width, channels = images.image_shape
    spec = DataSpec((height, width, channels), len(images.class_names))
    hypermodel = SpaceHyperModel(run.config.space, spec)
    models = [build_model(hypermodel, values, images, kt.HyperParameters()) for values in configurations]
    model = models[0] if len(models) == 1 else average(models)
    with warnings.catch_warnings():
        # The state of the optimizer, which a winner is saved without, is not needed.
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer", UserWarning)
        model.load_weights(weights)
    return model if getattr(model, "inputs", None) else _graph(model, spec)


def _graph(model: Any, spec: DataSpec) -> Any:
    """Return a model of the user's own class as one with inputs and outputs, which exports need."""
    inputs = keras.Input(spec.image_shape)
    found = keras.Model(inputs, model(inputs))
    found.compile(loss=model.loss)
    return found
