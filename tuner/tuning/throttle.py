"""How often work may be repeated that grows with the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# At most this often,
EVERY_S = 1.0
# and in a large run less often: each kind of such work may take this share of the time.
SHARE = 0.02


class Throttle:
    """Says when work is due again, by what it took the last time."""

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
