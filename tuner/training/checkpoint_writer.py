"""Writing of checkpoints during training."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class CheckpointWriter:
    """Runs one job at a time in a thread. The end of the block waits for the last one.

    The next call, or the end of the block, raises the exception of a job.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._job: Future[None] | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Start a job after the end of the last one, so that only one holds its arrays."""
        self._wait()
        self._job = self._pool.submit(job)

    def __enter__(self) -> CheckpointWriter:
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
