"""Whether the model of a space can be saved, and read back by another program."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tuner.errors import SpaceError
from tuner.files import temporary_folder
from tuner.training.error_text import first_line
from tuner.training.model_file import LAMBDA, LAMBDA_ACTIVATION, own_parts

CLOSE = 1e-3
"""Largest difference of an output from that of the model before it was saved."""
INSTEAD = "The search continues: its commands build the model from your code."
REGISTER = "@keras.saving.register_keras_serializable()"
_WITHOUT_CONFIG = re.compile(r"Object (\w+) was created by passing")


def not_read_back(model: Any, images: np.ndarray) -> Iterator[str]:
    """Say why a saved model cannot be read back, or is another one then.

    Args:
        images: Of shape (n, height, width, channels), as the model takes them.

    Raises:
        SpaceError: it cannot be saved.
    """
    import keras

    with temporary_folder() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras, on lambdas: they are told here
        path = folder / "model.keras"
        try:
            model.save(path)
        except Exception as error:  # it is the user's code
            raise SpaceError(_unsaved(error)) from error
        unknown = own_parts(path, registered=False)
        if unknown:
            yield f"{_unknown(unknown)} {INSTEAD}"
        own = {type(layer).__name__: type(layer) for layer in model._flatten_layers()}
        own = {name: kind for name, kind in own.items() if not kind.__module__.startswith("keras.")}
        try:
            with keras.saving.custom_object_scope(own):
                loaded = keras.saving.load_model(path, compile=False, safe_mode=False)
            differs = not np.allclose(_outputs(loaded, images), _outputs(model, images), atol=CLOSE)
        except Exception as error:  # it is the user's code
            if not set(unknown) - set(own) - {LAMBDA}:
                yield (
                    f"the saved model cannot be loaded: {first_line(error)} Look at __init__, build and "
                    f"get_config of {_classes(own)}. {INSTEAD}"
                )
            return
    if differs:
        yield (
            f"the saved model gives other outputs when it is loaded. Let get_config of {_classes(own)} "
            f"return every argument of __init__. {INSTEAD}"
        )


def _unsaved(error: Exception) -> str:
    found = _WITHOUT_CONFIG.search(str(error))
    if not found:
        return f"the model cannot be saved: {first_line(error)}"
    return (
        f"the model cannot be saved: {found[1]} takes arguments and has no get_config(). Write get_config() "
        f"that returns them, and {REGISTER} above the class."
    )


def _unknown(names: tuple[str, ...]) -> str:
    named = [name for name in names if name not in (LAMBDA, LAMBDA_ACTIVATION)]
    texts = []
    if named:
        texts.append(
            f"no other program can load the saved model: {', '.join(named)} "
            f"{'is' if len(named) == 1 else 'are'} not registered. Write {REGISTER} above the definition."
        )
    if LAMBDA in names:
        texts.append(
            "the saved model holds a Python lambda, so other programs need safe_mode=False to load it. "
            "Write a layer, such as keras.layers.Rescaling, or a registered function."
        )
    if LAMBDA_ACTIVATION in names:
        texts.append(
            "no other program can load the saved model: Keras loses a Python lambda that is an activation. "
            f"Write a function with a name, and {REGISTER} above it."
        )
    return " ".join(texts)


def _classes(own: dict[str, Any]) -> str:
    return ", ".join(own) or "the layers"


def _outputs(model: Any, images: np.ndarray) -> np.ndarray:
    import keras

    outputs = model(keras.ops.convert_to_tensor(images), training=False)
    return np.asarray(keras.ops.convert_to_numpy(outputs), np.float64)
