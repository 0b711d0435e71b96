"""Whether a build gives the same model each time, whatever the state of random numbers."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from tuner.errors import SpaceError
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.training.task import TrialError

SEEDS = range(4)
MAX_SECONDS = 1.0
"""Time after which no build starts but the second."""
DIFFER = "two builds of the default configuration differ. Let nothing but hp and spec decide."
# Layers that have no seed draw one, and the names of layers count.
_FREE = ("name", "seed")
_ADDRESS = re.compile(r"0x[0-9a-f]+")


def differing_builds(hypermodel: SpaceHyperModel) -> str | None:
    """Build the default configuration with other states of random numbers; return what is wrong, or None."""
    end = time.monotonic() + MAX_SECONDS
    first = _structure(hypermodel, SEEDS[0])
    for seed in SEEDS[1:]:
        if _structure(hypermodel, seed) != first:
            return DIFFER
        if time.monotonic() > end:
            break
    return None


def _structure(hypermodel: SpaceHyperModel, seed: int) -> str:
    """Return a text that is equal for models with the same layers, settings and shapes of weights."""
    import keras

    keras.utils.set_random_seed(seed)
    try:
        model = hypermodel.build(hypermodel.hyperparameters())
    except (SpaceError, TrialError):
        raise
    except Exception as error:  # it is the user's code, and differs where another seed builds
        return type(error).__name__
    layers = [layer for layer in model._flatten_layers() if not isinstance(layer, keras.Model)]
    parts = [
        [(type(layer).__name__, _settings(layer)) for layer in layers],
        [list(variable.shape) for variable in model.variables if variable.dtype != "uint32"],
        _settings(model.optimizer),
    ]
    return _ADDRESS.sub("", json.dumps(parts, default=str))


def _settings(part: Any) -> Any:
    try:
        return _without_free(part.get_config())
    except Exception:  # a class of the user's without settings
        return type(part).__name__


def _without_free(config: Any) -> Any:
    if isinstance(config, dict):
        return {name: _without_free(value) for name, value in config.items() if name not in _FREE}
    if isinstance(config, list | tuple):
        return [_without_free(each) for each in config]
    return config
