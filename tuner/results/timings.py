"""How long the steps of a run take that come before its trials."""

from __future__ import annotations

import time
from typing import Literal

from tuner.results.store import Store

TIMINGS = "timings"
"""The fact of a run that holds the seconds of each step."""

Step = Literal["preparation_s", "loading_s"]


class Stopwatch:
    """Runs from when it is made, and cuts the time into steps that follow one another."""

    def __init__(self) -> None:
        self._started = self._step_started = time.perf_counter()
        self._steps: dict[Step, float] = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._started

    def end(self, step: Step) -> None:
        """A step has come to its end; the next one begins."""
        now = time.perf_counter()
        self._steps[step] = now - self._step_started
        self._step_started = now

    def record(self, store: Store) -> None:
        """Add the steps to those of the same run before it was interrupted.

        Raises:
            StorageError: the store cannot be written.
        """
        facts = store.run()
        if TIMINGS not in facts and "spent_s" in facts:
            return  # its first part was not timed, and the rest must not pass for the whole
        before = facts.get(TIMINGS, {})
        store.set_run({TIMINGS: {step: before.get(step, 0.0) + s for step, s in self._steps.items()}})
