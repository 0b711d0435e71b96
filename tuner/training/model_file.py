"""The content of a .keras file that only its author's code can read back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LAMBDA = "a lambda"
LAMBDA_ACTIVATION = "a lambda as activation"
_CONFIG = "config.json"
_COMPILE = "compile_config"
_OF_KERAS = ("keras", "keras_hub")


def own_parts(path: Path, registered: bool = True) -> tuple[str, ...]:
    """Return the names of classes and functions of a model that Keras does not bring, each once.

    Those that the model is compiled with do not count: a model predicts without them.

    Args:
        registered: Whether to name those that this process has registered with Keras too.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no .keras file.
    """
    import keras

    config = _config(path)
    config.pop(_COMPILE, None)
    known = keras.saving.get_registered_object
    found = (name for name, key in _own(config) if registered or key is None or known(key) is None)
    return tuple(dict.fromkeys(found))


def loss_takes_logits(path: Path) -> bool:
    """True if the loss in a .keras file has from_logits=True."""
    return '"from_logits": true' in json.dumps(_config(path).get(_COMPILE, {}).get("loss"))


def _config(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            config: dict[str, Any] = json.loads(archive.read(_CONFIG))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"'{path}' is no .keras file") from error
    return config


def _own(part: Any) -> Iterator[tuple[str, str | None]]:
    """Yield name and registered name of the parts of a configuration that are not of Keras."""
    if isinstance(part, list):
        for each in part:
            yield from _own(each)
    if not isinstance(part, dict):
        return
    kind, module = part.get("class_name"), part.get("module")
    if kind == "__lambda__":
        yield LAMBDA, None
    elif _is_lambda_activation(part):
        yield LAMBDA_ACTIVATION, None
    elif kind == "function":
        yield str(part["config"]), part.get("registered_name")
    elif kind and module and str(module).partition(".")[0] not in (*_OF_KERAS, "builtins"):
        yield str(kind), part.get("registered_name")
    for each in part.values():
        yield from _own(each)


def _is_lambda_activation(part: dict[str, Any]) -> bool:
    """Tell code, defaults and closure of a lambda that Keras writes without a class name, and cannot load."""
    code = part.get("value")
    return part.keys() == {"value"} and isinstance(code, list) and len(code) == 3 and isinstance(code[0], str)
