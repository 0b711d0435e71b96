"""Arguments of a space's functions and classes that the data set decides."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from search_spaces import DataSpec
from tuner.errors import SpaceError

_SHAPE = ("input_shape", "image_shape", "img_shape", "shape")
_CLASSES = ("num_classes", "n_classes", "classes", "num_labels")
KNOWN = (*_SHAPE, *_CLASSES, "spec")
"""Names of arguments that are given: (height, width, channels), the number of classes, and both."""


def arguments(function: Callable[..., Any], spec: DataSpec, place: str) -> dict[str, Any]:
    """Return the arguments that the data set decides: those without a value, and those whose value is None.

    Args:
        function: A class, or a function without its first parameter.
        place: The function and its reference, for an error.

    Raises:
        SpaceError: it needs an argument of another name.
    """
    values: dict[str, Any] = {"spec": spec}
    values |= dict.fromkeys(_SHAPE, spec.image_shape) | dict.fromkeys(_CLASSES, spec.num_classes)
    if unknown := unknown_arguments(function):
        raise SpaceError(
            f"{place} needs '{unknown[0]}', which a search does not know. Known: {', '.join(KNOWN)}. Give "
            f"'{unknown[0]}' a default, or name a function or an instance that needs no other."
        )
    return {name: values[name] for name in _open(function) if name in values}


def unknown_arguments(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that are needed and not known."""
    return [name for name, required in _open(function).items() if required and name not in KNOWN]


def _open(function: Callable[..., Any]) -> dict[str, bool]:
    """Return the parameters without a value, and for each whether it is required."""
    return {
        name: parameter.default is parameter.empty
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and (parameter.default is parameter.empty or parameter.default is None)
    }
