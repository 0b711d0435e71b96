"""Names that compiled code binds and reads."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType

_OPTIMIZED = 0x1  # a flag of the code of functions and comprehensions
_STORES = {"STORE_NAME", "STORE_GLOBAL"}
_LOADS = {"LOAD_NAME", "LOAD_GLOBAL"}


def bound_names(code: CodeType) -> set[str]:
    """Return the names of a module that its code binds when it runs."""
    return {each.argval for each in dis.get_instructions(code) if each.opname in _STORES}


def read_names(code: CodeType, *, later: bool = True) -> set[str]:
    """Return the names of a module and of Python that code reads.

    Args:
        later: With those that functions inside it read when they are called.
    """
    found = {each.argval for each in dis.get_instructions(code) if each.opname in _LOADS}
    return found.union(*(read_names(inner, later=later) for inner in _inner(code, later)))


def attributes_of(name: str, code: CodeType) -> set[str]:
    """Return the attributes that code reads of a variable, with those that functions inside it read."""
    steps = list(dis.get_instructions(code))
    found = {after.argval for step, after in pairwise(steps) if step.argval == name}
    return {each for each in found if isinstance(each, str)}.union(
        *(attributes_of(name, inner) for inner in _inner(code, later=True))
    )


def _inner(code: CodeType, later: bool) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            comprehension = inner.co_name.startswith("<") and inner.co_name != "<lambda>"
            if later or comprehension or not inner.co_flags & _OPTIMIZED:
                yield inner
