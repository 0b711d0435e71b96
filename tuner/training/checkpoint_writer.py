"""Writing checkpoints while training goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class BackgroundWriter:
    """Does one job at a time in a thread. Leaving the block waits for the last.

    What a job raises is raised by the next call, or at the end of the block.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._job: Future[None] | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Begin a job once the one before has ended, so that no more than one waits with its arrays."""
        self._wait()
        self._job = self._pool.submit(job)

    def __enter__(self) -> BackgroundWriter:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._wait()
        finally:
            self._pool.shutdown()

    def _wait(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.result()
