"""Workers on a Ray cluster: each is an actor that Ray places, and that sends reports."""

from __future__ import annotations

import os
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.data.transport import content
from tuner.errors import TunerError
from tuner.files import MARK_FILE, remove_file, replace_text
from tuner.training.device import threads_environment
from tuner.training.task import TrainTask
from tuner.training.versions import differences, installed_versions
from tuner.workers.protocol import Event, Failure, Lost, Ready, Request, WorkerSetup
from tuner.workers.ray_cluster import Share, connect, handlers_kept, last_line, options_of
from tuner.workers.ray_dataset import RayDataset
from tuner.workers.ray_placement import RayPlacement
from tuner.workers.ray_worker import Message, NeedsData, Placed, RayWorker, RayWorkerSetup, Refused, Report
from tuner.workers.worker_state import MAX_FAILED_STARTS, WorkerPool, WorkerState

# Longest time between two reports of a worker: short enough to show progress, long enough for a driver with
# a thousand workers. News is reported at once.
REPORT_S = 0.5
WORKERS_PER_REPORT_S = 200
# Interval between checks of the memory and the time of busy workers.
WATCH_S = 1.0


@dataclass(kw_only=True)
class _Actor(WorkerState):
    handle: Any
    memory_mib: float = 0.0
    host: str = ""
    node: str = ""
    killed: bool = False


class RayPool(WorkerPool):
    """A number of workers on a cluster, some of which may still wait for a node.

    Args:
        checkpoints: Folder of the checkpoints, which all nodes can reach.
        say: Takes messages for the user, one line each.

    Raises:
        UsageError: Ray is not installed, no such cluster exists, or this machine is too small for a worker.
    """

    looks_ahead = False  # another worker may take the next trial first

    def __init__(
        self, setup: WorkerSetup, share: Share, checkpoints: Path, say: Callable[[str], None]
    ) -> None:
        self._share, self._say = share, say
        self._ray = connect(share.address)
        self._mark = checkpoints / MARK_FILE
        try:
            token = uuid.uuid4().hex
            replace_text(self._mark, token)
            options = options_of(share, self._ray.cluster_resources())
            self._placement = RayPlacement(self._ray, options, say)
            keras = {name: value for name, value in os.environ.items() if name == "KERAS_BACKEND"}
            self._setup = RayWorkerSetup(
                setup,
                content(setup.dataset),
                self._mark,
                token,
                threads_environment(int(options["num_cpus"])) | keras,
            )
            self._dataset_in_store = RayDataset(self._ray, setup.dataset)
            self._class = self._ray.remote(RayWorker)
            self._events: deque[tuple[int, Event]] = deque()
            self._reports: dict[Any, int] = {}
            self._watched = 0.0
            self._failed_starts = [0] * share.workers
            self._here = installed_versions()
            self._backend: str | None = None
            self._report_s = max(REPORT_S, share.workers / WORKERS_PER_REPORT_S)
            self._actors = [self._start(number) for number in range(share.workers)]
        except BaseException:
            self._ray.shutdown()
            remove_file(self._mark)
            raise

    def idle(self) -> list[int]:
        """Return the numbers of the workers that are ready and without a request.

        A worker with an unread answer is not idle, because the next request may depend on it.
        """
        with_news = {number for number, _ in self._events}
        return [
            number
            for number, actor in enumerate(self._actors)
            if actor.ready is not None and actor.request is None and number not in with_news
        ]

    def place(self, number: int) -> str:
        """Return the name of a worker with that of its node."""
        return f"worker {number + 1} on {self._actors[number].host}"

    def look_ahead(self, number: int, task: TrainTask) -> None:
        raise NotImplementedError

    def submit(self, number: int, request: Request, limit_s: float | None = None) -> None:
        """Send a request to an idle worker; `next_event` returns its answers.

        After `limit_s` seconds, a busy worker is ended. Its request then fails with reason 'timeout'.
        """
        actor = self._actors[number]
        actor.begin(request, limit_s)
        actor.handle.submit.remote(request)

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:
        """Wait for an event; return it with the number of its worker, or None after `timeout` seconds.

        A new worker, on any node, replaces one that died. The request of that one is answered with Lost,
        since Ray does not tell whether the worker, the node or the network failed; with a Failure if the
        worker was ended for its memory or time.

        Raises:
            TunerError: workers die before they have loaded their backend, or no node can have a worker.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self._watch()
            if self._events:
                return self._events.popleft()
            left = WATCH_S if end is None else min(WATCH_S, max(0.0, end - time.monotonic()))
            self._collect(left)
            if not self._events and end is not None and time.monotonic() >= end:
                return None

    def device(self) -> Ready:
        """Wait for a worker that has loaded its backend; return its description."""
        ready = self._actors[self._idle_worker()].ready
        assert ready is not None
        return ready

    def close(self) -> None:
        """End all workers, even busy ones, and leave the cluster."""
        for actor in self._actors:
            self._ray.kill(actor.handle)
        with handlers_kept():
            self._ray.shutdown()
        remove_file(self._mark)

    def _start(self, number: int) -> _Actor:
        actor = _Actor(handle=self._class.options(**self._placement.options).remote(self._setup))
        self._listen(number, actor)
        return actor

    def _listen(self, number: int, actor: _Actor) -> None:
        self._reports[actor.handle.report.remote(self._report_s)] = number

    def _end(self, number: int, cause: str = "") -> None:
        """End a worker, ignore its reports, and answer its request, if it has one, with Lost."""
        actor = self._actors[number]
        self._ray.kill(actor.handle)
        self._reports = {report: other for report, other in self._reports.items() if other != number}
        if actor.request is not None:
            self._events.append((number, Lost(actor.trial_id, cause)))

    def _collect(self, wait_s: float) -> None:
        """Read the reports that have arrived, or wait for the first one."""
        waiting = list(self._reports)
        ready, _ = self._ray.wait(waiting, timeout=wait_s)
        if ready:
            ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        for reference in ready:
            number = self._reports.pop(reference)
            try:
                report: Report = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                self._replace_dead(number, error)
                continue
            actor = self._actors[number]
            actor.memory_mib = report.memory_mib
            for message in report.messages:
                self._take(number, actor, message)
            if self._actors[number] is actor:
                self._listen(number, actor)

    def _take(self, number: int, actor: _Actor, message: Message) -> None:
        if isinstance(message, Placed):
            actor.host, actor.node = message.host, message.node
        elif isinstance(message, NeedsData):
            actor.handle.take_data.remote(self._dataset_in_store.references())
        elif isinstance(message, Refused):
            # If another worker of the node is ready, the node is not the cause.
            others = (other for other in self._actors if other.node == actor.node and other.ready)
            if message.of_node and not any(others):
                self._refuse(number, message.reason)
            else:
                self._start_again(number, message.reason)
        else:
            if isinstance(message, Ready):
                self._failed_starts = [0] * len(self._failed_starts)
                if (difference := self._difference(message)) is not None:
                    self._refuse(number, difference)
                    return
            actor.note(message, actor.memory_mib)
            self._events.append((number, message))
            if actor.request is None and (actor.killed or actor.is_worn(actor.memory_mib)):
                self._end(number)
                self._actors[number] = self._start(number)

    def _difference(self, ready: Ready) -> str | None:
        """Return the difference from this machine that changes a worker's results, None if there is none.

        This process loads no backend, so the first worker determines it.
        """
        if differs := differences(ready.versions, self._here):
            return f"it has {differs}. Install on all nodes what is on this machine"
        self._backend = self._backend or ready.backend
        if ready.backend != self._backend:
            return f"it has backend {ready.backend} instead of {self._backend}. Set KERAS_BACKEND"
        return None

    def _refuse(self, number: int, reason: str) -> None:
        """Avoid a node, and start its worker on another one."""
        actor = self._actors[number]
        self._placement.avoid(actor.node, f"{self.place(number)} is not used: {reason}")
        self._end(number, reason)
        self._actors[number] = self._start(number)

    def _start_again(self, number: int, cause: str) -> None:
        """Replace a worker that ended during its start, MAX_FAILED_STARTS times at most.

        Each worker counts by itself, since a node that fails ends all its workers.

        Raises:
            TunerError: no worker can be started.
        """
        self._failed_starts[number] += 1
        self._end(number, cause)
        if self._failed_starts[number] < MAX_FAILED_STARTS:
            self._actors[number] = self._start(number)
            return
        # Its place stays empty and sends no reports.
        self._actors[number] = _Actor(handle=self._actors[number].handle)
        what = f"{MAX_FAILED_STARTS} workers in a row ended while they started: {cause.rstrip('.')}. "
        if self._backend is None or not self._reports:
            raise TunerError(f"{what}Compare the nodes with: tuner doctor --cluster {self._share.address}")
        self._say(f"{what}There is one worker less")

    def _replace_dead(self, number: int, error: Exception) -> None:
        """Replace a worker that died, and answer its request."""
        actor = self._actors[number]
        self._ray.kill(actor.handle)  # a worker that is only out of reach may not continue beside the new one
        cause = last_line(error)
        if actor.ready is None:
            self._start_again(number, cause)
            return
        if actor.verdict is None:
            after = "; its trial goes on elsewhere from its checkpoint" if actor.trial_id else ""
            self._say(f"{self.place(number)} is gone{after}")
        self._actors[number] = self._start(number)
        if actor.verdict is not None:
            answer: Event = actor.verdict
        elif isinstance(error, self._ray.exceptions.OutOfMemoryError):
            answer = Failure(actor.trial_id, "oom", "its node ran out of memory and ended the worker.", "")
        else:
            answer = Lost(actor.trial_id, f"the worker is gone: {cause}")
        self._events.append((number, answer))

    def _watch(self) -> None:
        """End workers that exceed their memory or time; tell the user if none has found a node."""
        now = time.monotonic()
        if now - self._watched < WATCH_S:
            return
        self._watched = now
        self._placement.report_wait(any(actor.host for actor in self._actors))
        if self._backend is None:
            self._placement.require_another_node()
        for actor in self._actors:
            verdict = actor.excess(actor.memory_mib, self._share.memory_mib or float("inf"))
            if verdict is not None:
                actor.verdict, actor.killed = verdict, True
                self._ray.kill(actor.handle)

    def _idle_worker(self) -> int:
        # The events of workers that come and go do not matter here; a new wait is reported again.
        self._events.clear()
        self._placement.start_wait()
        while not (found := self.idle()):
            self._watch()
            self._collect(WATCH_S)
            self._events.clear()
        return found[0]
