"""The JSON texts in a store."""

from __future__ import annotations

import json
from sys import intern
from typing import Any

from pydantic import StrictBool, StrictFloat, StrictInt, StrictStr, TypeAdapter, ValidationError

_VALUES = TypeAdapter(dict[str, StrictBool | StrictInt | StrictFloat | StrictStr | None])
_METRICS = TypeAdapter(dict[str, float])


def decode(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{_start(text)} in it is no JSON") from None


def decode_values(text: str) -> dict[str, Any]:
    """Return the values of hyperparameters by name.

    Raises:
        ValueError: it is something else.
    """
    return _named(_VALUES, text)


def decode_metrics(text: str) -> dict[str, float]:
    """Return metrics by name.

    Raises:
        ValueError: it is something else.
    """
    return _named(_METRICS, text)


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return the place of the first value that a model refuses, as `a.b.0`, and the reason."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"]


def _named(kind: TypeAdapter[dict[str, Any]], text: str) -> dict[str, Any]:
    """Return the values of an object; thousands of trials share one copy of each name."""
    try:
        found = kind.validate_python(decode(text))
        if "\\u" in text:  # of half a character, no text can be made
            json.dumps(found, ensure_ascii=False).encode()
    except ValueError:  # of pydantic too
        raise ValueError(f"{_start(text)} in it does not belong there") from None
    return {intern(name): value for name, value in found.items()}


def _start(text: str) -> str:
    return repr(text[:40])
