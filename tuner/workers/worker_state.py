"""What a pool knows of one of its workers, wherever that is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tuner.training.task import EpochDone, StepsDone, TrainTask
from tuner.workers.protocol import Event, Failure, Lost, Ready, Request

# Backends keep some of the most memory that they ever took; a worker that has grown by so much is replaced,
# which takes seconds, before it starves the machine.
MAX_GROWTH_MIB = 2048
# So many workers in a row that do not live to load their backend are no accident.
MAX_STILLBORN = 3
# So often is a request asked again whose worker was ended from outside each time.
MAX_LOST = 5


@dataclass
class WorkerState:
    """A worker's request, and what it may take for it."""

    request: Request | None = None
    ready: Ready | None = None
    ready_mib: float = 0.0
    limit_s: float | None = None
    busy_since: float = 0.0
    worn: bool = False
    verdict: Failure | None = None
    following: TrainTask | None = None
    """What it may get ready for beside its request."""

    @property
    def trial_id(self) -> str | None:
        return self.request.trial_id if isinstance(self.request, TrainTask) else None

    def begin(self, request: Request, limit_s: float | None) -> None:
        """Note a request, which may take so many seconds once the worker is ready."""
        assert self.request is None
        self.request, self.limit_s, self.busy_since = request, limit_s, time.monotonic()

    def note(self, event: Event, memory_mib: float) -> None:
        """Note what the worker says, and the memory that it takes."""
        if isinstance(event, Ready):
            self.ready, self.ready_mib, self.busy_since = event, memory_mib, time.monotonic()
        elif not isinstance(event, StepsDone | EpochDone):
            # A verdict on what is answered by now may still end the worker; the next request is not to blame.
            self.request = self.verdict = self.following = None
            # After an allocation that failed, a device may stay too fragmented for what came before.
            self.worn = isinstance(event, Failure) and event.reason == "oom"

    def is_worn(self, memory_mib: float) -> bool:
        """True where the worker is to be replaced before it is given anything more."""
        return self.worn or (self.ready is not None and memory_mib - self.ready_mib > MAX_GROWTH_MIB)

    def excess(self, memory_mib: float, allowed_mib: float) -> Failure | None:
        """Return the failure of a request that takes more memory or time than it may."""
        if self.request is None or self.ready is None or self.verdict is not None:
            return None
        if memory_mib > allowed_mib:
            message = f"the worker took {memory_mib:,.0f} MiB of memory, of {allowed_mib:,.0f} allowed."
            return Failure(self.trial_id, "oom", message, "")
        if self.limit_s is not None and time.monotonic() - self.busy_since > self.limit_s:
            message = f"the worker was still busy after {self.limit_s:,.0f} s."
            return Failure(self.trial_id, "timeout", message, "")
        return None


def lost_for_good(last: Lost) -> Failure:
    """Return what a request comes to whose worker was ended MAX_LOST times."""
    return Failure(last.trial_id, "crash", f"{last.message}, {MAX_LOST} times in a row", "")
