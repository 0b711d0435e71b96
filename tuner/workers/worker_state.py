"""What the pools of both kinds share: the state of a worker, and a request with its answer."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

from tuner.training.task import EpochDone, LateHyperparameters, StepsDone, TrainTask
from tuner.workers.protocol import Event, Failure, Lost, Pool, Ready, Request

# Growth of a worker's memory after which a new one replaces it. Backends never return all their memory.
MAX_GROWTH_MIB = 2048
# Number of workers in a row that may end before they have loaded their backend.
MAX_FAILED_STARTS = 3
# Number of attempts for a request whose worker is ended from outside each time.
MAX_LOST = 5


@dataclass
class WorkerState:
    """The request of a worker and its limits."""

    request: Request | None = None
    ready: Ready | None = None
    ready_mib: float = 0.0
    limit_s: float | None = None
    busy_since: float = 0.0
    worn: bool = False
    verdict: Failure | None = None
    following: TrainTask | None = None
    """The next trial, which it may build during its request."""

    @property
    def trial_id(self) -> str | None:
        return self.request.trial_id if isinstance(self.request, TrainTask) else None

    def begin(self, request: Request, limit_s: float | None) -> None:
        """Record a request, which may take `limit_s` seconds once the worker is ready."""
        assert self.request is None
        self.request, self.limit_s, self.busy_since = request, limit_s, time.monotonic()

    def note(self, event: Event, memory_mib: float) -> None:
        """Record an event of the worker, and its memory."""
        if isinstance(event, Ready):
            self.ready, self.ready_mib, self.busy_since = event, memory_mib, time.monotonic()
        elif not isinstance(event, StepsDone | EpochDone | LateHyperparameters):
            # A late verdict may still end the worker, and is not about the next request.
            self.request = self.verdict = self.following = None
            # After a failed allocation, the memory of a device may stay fragmented.
            self.worn = isinstance(event, Failure) and event.reason == "oom"

    def is_worn(self, memory_mib: float) -> bool:
        """True if a new worker has to replace this one before the next request."""
        return self.worn or (self.ready is not None and memory_mib - self.ready_mib > MAX_GROWTH_MIB)

    def excess(self, memory_mib: float, allowed_mib: float) -> Failure | None:
        """Return the failure of a request that exceeds its memory or its time, None for others."""
        if self.request is None or self.ready is None or self.verdict is not None:
            return None
        if memory_mib > allowed_mib:
            message = f"the worker took {memory_mib:,.0f} MiB of memory, of {allowed_mib:,.0f} allowed."
            return Failure(self.trial_id, "oom", message, "")
        if self.limit_s is not None and time.monotonic() - self.busy_since > self.limit_s:
            message = f"the worker was still busy after {self.limit_s:,.0f} s."
            return Failure(self.trial_id, "timeout", message, "")
        return None


class WorkerPool(Pool):
    """A pool that sends a request again after the loss of its worker, and that `with` closes."""

    def ask(self, request: Request, limit_s: float | None = None) -> Event:
        """Let one worker do one request, within a limit in seconds; all workers must be idle."""
        for _ in range(MAX_LOST):
            number = self._idle_worker()
            self.submit(number, request, limit_s)
            answer: Event | None = None
            while answer is None:
                found = self.next_event()
                if found is not None and found[0] == number and not isinstance(found[1], Ready):
                    answer = found[1]
            if not isinstance(answer, Lost):
                return answer
            lost = answer
        return Failure(lost.trial_id, "crash", f"{lost.message}, {MAX_LOST} times in a row", "")

    @abstractmethod
    def close(self) -> None:
        """End all workers, even busy ones."""

    @abstractmethod
    def _idle_worker(self) -> int:
        """Return the number of an idle worker, and wait for one if workers still start."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
