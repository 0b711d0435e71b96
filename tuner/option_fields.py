"""Fields of a request that are options, TOML keys and variables at once: names, panels of --help, errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from tuner.credentials import credentials_refusal
from tuner.errors import UsageError

Options = TypeVar("Options", bound=BaseModel)


@dataclass(frozen=True)
class Panel:
    """Options that --help shows together, under this title."""

    title: str


WHAT = Panel("What to search")
DATA = Panel("Data")
BUDGET = Panel("Budget")
TRAINING = Panel("Training")
CLUSTER = Panel("Cluster")
OUTPUT = Panel("Output")
PANELS = (WHAT, DATA, BUDGET, TRAINING, CLUSTER, OUTPUT)
"""In the order of --help."""


def panel_of(info: FieldInfo) -> Panel:
    """Return the panel of a field."""
    return next(each for each in info.metadata if isinstance(each, Panel))


def option_name(field: str) -> str:
    """Return the option of a field: "--max-trials" of "max_trials"."""
    return "--" + field.replace("_", "-")


def validated(kind: type[Options], values: Mapping[str, Any], origin: str = "") -> Options:
    """Return options made of values; text is converted.

    Args:
        kind: The model that holds the fields.
        values: Field names and values.
        origin: Where the values come from (a TOML file), for the error.

    Raises:
        UsageError: an unknown key or a value that is not allowed, such as a URL with a password.
    """
    for field, value in values.items():
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str) and (refusal := credentials_refusal(text)):
                raise UsageError(f"{origin}: {option_name(field)}: {refusal}.".removeprefix(": "))
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError((f"{origin}: " if origin else "") + _explain(first, kind.model_fields)) from None


def _explain(error: Any, known: Iterable[str]) -> str:
    """One line for one pydantic error."""
    if not error["loc"]:
        return f"{error['msg'].removeprefix('Value error, ')}."
    field = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return f"unknown key '{field}'.{_nearest(field, known)} Known: {', '.join(known)}."
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", message)
        message = f"allowed: {', '.join(allowed)}.{_nearest(str(error['input']), allowed)}"
    end = "" if message.endswith("?") else "."
    return f"{option_name(field)} {error['input']!r} is not allowed: {message.rstrip('.')}{end}"


def _nearest(text: str, known: Iterable[str]) -> str:
    close = get_close_matches(text, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
