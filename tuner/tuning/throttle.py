"""A limit on work that takes longer the larger a run grows, such as writing its tables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Least number of seconds between two repetitions.
EVERY_S = 1.0
# Share of the time that each kind of work may take.
SHARE = 0.02


class Throttle:
    """Says when work is due again, by the time that it took before."""

    def __init__(self) -> None:
        self._due = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Do the work within this block."""
        start = time.monotonic()
        try:
            yield
        finally:
            end = time.monotonic()
            self._due = end + max(EVERY_S, (end - start) / SHARE)
