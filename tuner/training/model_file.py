"""The content of a .keras file that only its author's code can read back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAMBDA = "a lambda"
LAMBDA_ACTIVATION = "a lambda as activation"
MAX_CONFIG = 64 * 2**20
"""Bytes that the configuration of a model may have."""
_CONFIG = "config.json"
_COMPILE = "compile_config"
_OF_KERAS = ("keras", "keras_hub")
# Layers of Keras that hold or run what somebody else has written, whatever their file says of itself.
_EXECUTING = {
    "TFSMLayer": "which runs a SavedModel",
    "TorchModuleWrapper": "which holds pickled Python objects",
}
# Settings of layers of Keras that may be the path of a file, which they read.
_PATHS = ("vocabulary", "merges", "proto", "filepath")


@dataclass(frozen=True)
class _Part:
    """A class or function of a model that Keras does not bring, or that Keras does not load from a file."""

    name: str
    described: str
    """The same for people who do not know the model."""
    registered: str | None = None
    of_keras: bool = False


def own_parts(path: Path, registered: bool = True) -> tuple[str, ...]:
    """Return the names of classes and functions of a model that Keras does not bring, each once.

    Those that the model is compiled with do not count: a model predicts without them.

    Args:
        registered: Whether to name those that this process has registered with Keras too.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no .keras file.
    """
    config = _config(path)
    config.pop(_COMPILE, None)
    found = (part for part in _own(config) if not part.of_keras)
    return tuple(dict.fromkeys(part.name for part in found if registered or not _is_registered(part)))


def refused_parts(path: Path) -> tuple[str, ...]:
    """Describe what in a model no file may hold: what is not of Keras and not registered by this process.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no .keras file.
    """
    config = _config(path)
    config.pop(_COMPILE, None)
    return tuple(dict.fromkeys(part.described for part in _own(config) if not _is_registered(part)))


def is_compiled_by_keras(path: Path) -> bool:
    """True if all that a model is compiled with is of Keras, or registered by this process."""
    return all(map(_is_registered, _own(_config(path).get(_COMPILE))))


def loss_takes_logits(path: Path) -> bool:
    """True if the loss in a .keras file has from_logits=True."""
    compiled = _config(path).get(_COMPILE)
    return isinstance(compiled, dict) and '"from_logits": true' in json.dumps(compiled.get("loss"))


def _config(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_CONFIG).file_size > MAX_CONFIG:
                raise ValueError(f"its {_CONFIG} has more than {MAX_CONFIG // 2**20} MiB.")
            config = json.loads(archive.read(_CONFIG))
    except KeyError:
        raise ValueError(f"it is no .keras file: it holds no {_CONFIG}.") from None
    except (zipfile.BadZipFile, RuntimeError) as error:  # also of JSON that is nested too deep
        raise ValueError(f"it is no .keras file: {error}.") from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            raise ValueError(f"its {_CONFIG} is no JSON: {error}.") from None
        raise
    if not isinstance(config, dict):
        raise ValueError(f"its {_CONFIG} describes no model.")
    return config


def _is_registered(part: _Part) -> bool:
    import keras

    if part.registered is None or part.of_keras:
        return False
    return keras.saving.get_registered_object(part.registered) is not None


def _own(part: Any) -> Iterator[_Part]:
    """Yield the parts of a configuration that are not of Keras, or that Keras does not load from a file."""
    if isinstance(part, list):
        for each in part:
            yield from _own(each)
    if not isinstance(part, dict):
        return
    kind, module = part.get("class_name"), part.get("module")
    registered = part.get("registered_name")
    origin = f" of {module}" if module else ""
    settings = part.get("config")
    if kind == "__lambda__":
        yield _Part(LAMBDA, "a lambda, which is Python code")
    elif _is_lambda_activation(part):
        yield _Part(LAMBDA_ACTIVATION, "a lambda as activation, which is Python code")
    elif kind == "function":
        yield _Part(str(settings), f"the function {settings}{origin}", str(registered))
    elif kind and str(module).partition(".")[0] not in (*_OF_KERAS, "builtins", "None"):
        yield _Part(str(kind), f"the class {kind}{origin}", registered)
    elif kind and module is None and registered:
        yield _Part(str(kind), f"the class {registered}", registered)
    elif kind in _EXECUTING:
        yield _Part(str(kind), f"the layer {kind}, {_EXECUTING[kind]}", of_keras=True)
    elif kind and isinstance(settings, dict):
        for name in _PATHS:
            if isinstance(settings.get(name), str):
                text = f"the layer {kind}, which reads a file, '{settings[name]}'"
                yield _Part(str(kind), text, of_keras=True)
    for each in part.values():
        yield from _own(each)


def _is_lambda_activation(part: dict[str, Any]) -> bool:
    """Tell code, defaults and closure of a lambda that Keras writes without a class name, and cannot load."""
    code = part.get("value")
    return part.keys() == {"value"} and isinstance(code, list) and len(code) == 3 and isinstance(code[0], str)
