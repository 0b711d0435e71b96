"""What a model is apart from its weights, so that models can be compared; and what it makes of images."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import warnings
from functools import cache
from typing import Any

import keras
import numpy as np

from search_spaces import DataSpec

# A layer without a seed of its own draws one when it is made.
_SEEDS = re.compile(r'"seed": -?\d+')


def fingerprint(model: Any, spec: DataSpec) -> str:
    """Return a text that is equal for models that train alike from the same weights.

    It covers the layers with their settings, what is trainable, the optimizer, the loss, and the plain
    attributes of a model of the user's own class. Of a model that cannot be written down it covers the
    outputs for a few images instead of the layers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Keras, on lambdas: a note on saving tells of them
            layers = model.to_json()
    except (NotImplementedError, TypeError, ValueError):
        layers = outputs_of(model, spec).tobytes().hex()
    variables = [(list(each.shape), each.trainable) for each in model.variables]
    parts = [layers, variables, _config(model.optimizer), _config(model.loss), _own_settings(model)]
    text = _SEEDS.sub('"seed": null', json.dumps(parts, default=str).replace('\\"', '"'))
    return hashlib.sha256(text.encode()).hexdigest()


def sample_images(spec: DataSpec) -> np.ndarray:
    """Return raw pixels of six images: a black, a grey and a white one, and three of noise."""
    rng = np.random.default_rng(0)
    flat = [np.full(spec.image_shape, level) for level in (0, 128, 255)]
    noise = [rng.integers(0, high, spec.image_shape) for high in (64, 128, 256)]
    return np.stack([*flat, *noise]).astype(np.uint8)


def outputs_of(model: Any, spec: DataSpec) -> np.ndarray:
    """Return the outputs (6, n) for the sample images."""
    return np.asarray(keras.ops.convert_to_numpy(model(sample_images(spec), training=False)))


def _own_settings(model: Any) -> dict[str, Any]:
    """Return the plain attributes of a model that its own class gives it."""
    if type(model).__module__.partition(".")[0] == "keras":
        return {}
    return {
        name: value
        for name, value in vars(model).items()
        if name not in _names_of_keras() and type(value) in (int, float, str, bool)
    }


@cache
def _names_of_keras() -> frozenset[str]:
    """Return the attributes that Keras gives to models, some of which change when a model is called."""
    inputs = keras.Input((1,), name="inputs")
    layer = keras.layers.Identity(name="layer")
    models = keras.Model(inputs, layer(inputs), name="graph"), keras.Sequential([inputs, layer], name="row")
    for model in models:
        model.compile("sgd", "mse")
        model(np.zeros((1, 1)))
    return frozenset(name for model in models for name in vars(model))


def _config(part: Any) -> Any:
    """Return the settings of an optimizer or a loss; of a function its name and the values it holds."""
    if hasattr(part, "get_config"):
        return [type(part).__name__, {name: _config(value) for name, value in part.get_config().items()}]
    if not inspect.isfunction(part):
        return getattr(part, "__name__", part)
    cells = [cell.cell_contents for cell in part.__closure__ or ()]
    held = [each for each in (*cells, *(part.__defaults__ or ())) if isinstance(each, int | float | str)]
    return [part.__name__, held]
