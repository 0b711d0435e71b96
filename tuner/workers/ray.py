"""Workers on a Ray cluster: an actor each, placed and kept by Ray, heard by its reports."""

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
from tuner.files import remove_file, replace_text
from tuner.training.device import threads_environment
from tuner.training.task import TrainTask
from tuner.training.versions import differences, installed_versions
from tuner.training.warm_trials import MAX_KEPT_MIB
from tuner.workers.protocol import Event, Failure, Lost, Ready, Request, WorkerSetup
from tuner.workers.ray_cluster import Share, connect, handlers_kept, last_line, options_of
from tuner.workers.ray_dataset import Parcel
from tuner.workers.ray_placement import Room
from tuner.workers.ray_worker import NeedsData, NodeSetup, NodeWorker, Placed, Refused, Report, Told
from tuner.workers.worker_state import MAX_LOST, MAX_STILLBORN, WorkerState, lost_for_good

# A worker with news reports at once, one without after so long: often enough to show progress, and seldom
# enough that a driver of a thousand workers has time for other things.
REPORT_S = 0.5
WORKERS_PER_REPORT_S = 200
# How often the memory and the time of busy workers are looked at.
WATCH_S = 1.0
MARK_FILE = "reachable"


@dataclass(kw_only=True)
class _Actor(WorkerState):
    handle: Any
    memory_mib: float = 0.0
    host: str = ""
    node: str = ""
    killed: bool = False


class RayPool:
    """A number of workers on a cluster, some of which may still wait for a node that has room for them.

    Args:
        checkpoints: Where all nodes find the checkpoints of the search.
        say: Takes what the user should know, a line each.

    Raises:
        UsageError: Ray is not installed, there is no such cluster, or no room for a worker on this machine.
    """

    looks_ahead = False  # what one worker gets ready for, another may take before

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
            self._room = Room(self._ray, options, say)
            keras = {name: value for name, value in os.environ.items() if name == "KERAS_BACKEND"}
            self._setup = NodeSetup(
                setup,
                content(setup.dataset),
                self._mark,
                token,
                threads_environment(int(options["num_cpus"])) | keras,
                MAX_KEPT_MIB,
            )
            self._parcel = Parcel(self._ray, setup.dataset)
            self._class = self._ray.remote(NodeWorker)
            self._events: deque[tuple[int, Event]] = deque()
            self._reports: dict[Any, int] = {}
            self._watched = 0.0
            self._stillborn = [0] * share.workers
            self._here = installed_versions()
            self._backend: str | None = None
            self._report_s = max(REPORT_S, share.workers / WORKERS_PER_REPORT_S)
            self._actors = [self._start(number) for number in range(share.workers)]
        except BaseException:
            self._ray.shutdown()
            remove_file(self._mark)
            raise

    def idle(self) -> list[int]:
        """Numbers of the workers that have a place and wait for a request.

        One whose answer is yet to be fetched is none of them: what comes next may depend on it.
        """
        with_news = {number for number, _ in self._events}
        return [
            number
            for number, actor in enumerate(self._actors)
            if actor.ready is not None and actor.request is None and number not in with_news
        ]

    def place(self, number: int) -> str:
        """Name a worker and the node that it is on."""
        return f"worker {number + 1} on {self._actors[number].host}"

    def look_ahead(self, number: int, task: TrainTask) -> None:
        raise NotImplementedError

    def submit(self, number: int, request: Request, limit_s: float | None = None) -> None:
        """Hand a request to an idle worker; `next_event` brings its answers.

        A worker that is still busy after `limit_s` seconds is ended, and its request has failed with reason
        'timeout'.
        """
        actor = self._actors[number]
        actor.begin(request, limit_s)
        actor.handle.submit.remote(request)

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:
        """Wait for the next event and the worker it comes from; None after `timeout` seconds of silence.

        A worker that dies is replaced, on whatever node has room; its request is answered with Lost, since
        Ray does not tell whether worker, node or network is to blame. One that was ended for its memory or
        time has a Failure.

        Raises:
            TunerError: workers die before they can load their backend, or no node there is can have one.
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

    def ask(self, request: Request) -> Event:
        """Let one worker do one request to its end and return the answer; all workers must be idle."""
        for _ in range(MAX_LOST):
            number = self._first_idle()
            self.submit(number, request)
            answer: Event | None = None
            while answer is None:
                found = self.next_event()
                if found is not None and found[0] == number and not isinstance(found[1], Ready):
                    answer = found[1]
            if not isinstance(answer, Lost):
                return answer
            lost = answer
        return lost_for_good(lost)

    def device(self) -> Ready:
        """Wait for a worker that has loaded its backend; return what it says of itself."""
        ready = self._actors[self._first_idle()].ready
        assert ready is not None
        return ready

    def close(self) -> None:
        """End all workers, whatever they are doing, and leave the cluster."""
        for actor in self._actors:
            self._ray.kill(actor.handle)
        with handlers_kept():
            self._ray.shutdown()
        remove_file(self._mark)

    def __enter__(self) -> RayPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, number: int) -> _Actor:
        actor = _Actor(handle=self._class.options(**self._room.options).remote(self._setup))
        self._listen(number, actor)
        return actor

    def _listen(self, number: int, actor: _Actor) -> None:
        self._reports[actor.handle.report.remote(self._report_s)] = number

    def _end(self, number: int, cause: str = "") -> None:
        """End a worker, hear no more of it, and answer its request, if it has one, with why it is lost."""
        actor = self._actors[number]
        self._ray.kill(actor.handle)
        self._reports = {report: other for report, other in self._reports.items() if other != number}
        if actor.request is not None:
            self._events.append((number, Lost(actor.trial_id, cause)))

    def _collect(self, wait_s: float) -> None:
        """Take the reports that there are, or the first that comes."""
        waiting = list(self._reports)
        ready, _ = self._ray.wait(waiting, timeout=wait_s)
        if ready:
            ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        for reference in ready:
            number = self._reports.pop(reference)
            try:
                report: Report = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                self._bury(number, error)
                continue
            actor = self._actors[number]
            actor.memory_mib = report.memory_mib
            for told in report.told:
                self._take(number, actor, told)
            if self._actors[number] is actor:
                self._listen(number, actor)

    def _take(self, number: int, actor: _Actor, told: Told) -> None:
        if isinstance(told, Placed):
            actor.host, actor.node = told.host, told.node
        elif isinstance(told, NeedsData):
            actor.handle.take_data.remote(self._parcel.references())
        elif isinstance(told, Refused):
            # Where another is ready, it is not the node.
            others = (other for other in self._actors if other.node == actor.node and other.ready)
            if told.of_node and not any(others):
                self._refuse(number, told.reason)
            else:
                self._begin_anew(number, told.reason)
        else:
            if isinstance(told, Ready):
                self._stillborn = [0] * len(self._stillborn)
                if (difference := self._difference(told)) is not None:
                    self._refuse(number, difference)
                    return
            actor.note(told, actor.memory_mib)
            self._events.append((number, told))
            if actor.request is None and (actor.killed or actor.is_worn(actor.memory_mib)):
                self._end(number)
                self._actors[number] = self._start(number)

    def _difference(self, ready: Ready) -> str | None:
        """What a worker has otherwise than this machine, and its results therefore too.

        This process loads no backend, so the first worker says which it is.
        """
        if differs := differences(ready.versions, self._here):
            return f"it has {differs}. Install on all nodes what is on this machine"
        self._backend = self._backend or ready.backend
        if ready.backend != self._backend:
            return f"it has backend {ready.backend} instead of {self._backend}. Set KERAS_BACKEND"
        return None

    def _refuse(self, number: int, reason: str) -> None:
        """Do without a node, and let the worker that was there find another."""
        actor = self._actors[number]
        self._room.avoid(actor.node, f"{self.place(number)} is not used: {reason}")
        self._end(number, reason)
        self._actors[number] = self._start(number)

    def _begin_anew(self, number: int, cause: str) -> None:
        """Replace a worker that ended while it started, but not for ever.

        Counted for each by itself: a node takes all its workers with it, those yet to be started too.

        Raises:
            TunerError: no worker can be started.
        """
        self._stillborn[number] += 1
        self._end(number, cause)
        if self._stillborn[number] < MAX_STILLBORN:
            self._actors[number] = self._start(number)
            return
        # Its place stays empty, and nobody listens there.
        self._actors[number] = _Actor(handle=self._actors[number].handle)
        what = f"{MAX_STILLBORN} workers in a row ended while they started: {cause.rstrip('.')}. "
        if self._backend is None or not self._reports:
            raise TunerError(f"{what}Compare the nodes with: tuner doctor --cluster {self._share.address}")
        self._say(f"{what}There is one worker less")

    def _bury(self, number: int, error: Exception) -> None:
        """Replace a worker that died, and answer for it."""
        actor = self._actors[number]
        self._ray.kill(actor.handle)  # one that is only out of reach must not go on beside its successor
        cause = last_line(error)
        if actor.ready is None:
            self._begin_anew(number, cause)
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
        """End workers that take more memory or time than they may; say so where there is no room for any."""
        now = time.monotonic()
        if now - self._watched < WATCH_S:
            return
        self._watched = now
        self._room.look(any(actor.host for actor in self._actors))
        if self._backend is None:
            self._room.require_another_node()
        for actor in self._actors:
            verdict = actor.excess(actor.memory_mib, self._share.memory_mib or float("inf"))
            if verdict is not None:
                actor.verdict, actor.killed = verdict, True
                self._ray.kill(actor.handle)

    def _first_idle(self) -> int:
        # Who waits here has no use for news of workers that come and go, but is told of a wait of its own.
        self._events.clear()
        self._room.wait_again()
        while not (found := self.idle()):
            self._watch()
            self._collect(WATCH_S)
            self._events.clear()
        return found[0]
