"""Where the time of a program goes, by the classes it is made of."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

Parts = Mapping[str, Sequence[tuple[type, Sequence[str]]]]
"""Part -> classes, each with the names of those methods through which the others call it."""


@contextmanager
def time_in(parts: Parts, clock: Callable[[], float] = time.process_time) -> Iterator[Mapping[str, float]]:
    """Yield seconds by part, which grow until the block is left.

    What a part spends in another counts for that one; a method that was not named counts for its caller.
    """
    spent: defaultdict[str, float] = defaultdict(float)
    inner: list[float] = [0]  # seconds in parts below, of each call under way

    def timed(method: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            start = clock()
            inner.append(0.0)
            try:
                return method(*args, **kwargs)
            finally:
                whole = clock() - start
                spent[part] += whole - inner.pop()
                inner[-1] += whole

        return call

    before = [
        (owner, name, owner.__dict__[name])
        for owners in parts.values()
        for owner, names in owners
        for name in names
    ]
    for part, owners in parts.items():
        for owner, names in owners:
            for name in names:
                setattr(owner, name, timed(owner.__dict__[name], part))
    try:
        yield spent
    finally:
        for owner, name, method in before:
            setattr(owner, name, method)
