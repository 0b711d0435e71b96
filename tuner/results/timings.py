"""Time of the steps of a run before its trials."""

from __future__ import annotations

import time
from typing import Literal

from tuner.results.schema import TIMINGS
from tuner.results.store import Store

Step = Literal["preparation_s", "loading_s"]


class Stopwatch:
    """Measures consecutive steps, the first from the creation of the stopwatch."""

    def __init__(self) -> None:
        self._started = self._step_started = time.perf_counter()
        self._steps: dict[Step, float] = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since the stopwatch was created."""
        return time.perf_counter() - self._started

    def end(self, step: Step) -> None:
        """End a step; the next one begins."""
        now = time.perf_counter()
        self._steps[step] = now - self._step_started
        self._step_started = now

    def record(self, store: Store) -> None:
        """Add the seconds to those of the run before an interruption.

        Raises:
            StorageError: the store cannot be written.
        """
        before = store.run().get(TIMINGS, {})
        store.set_run({TIMINGS: {step: before.get(step, 0.0) + s for step, s in self._steps.items()}})
