"""Worker processes on this machine, replaced when they die, hang or exceed their memory.

A process that was killed from outside is Lost; any other death is a Failure of its trial.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil

from tuner.errors import TunerError
from tuner.training.device import configured_backend, share_of_machine
from tuner.training.task import TrainTask
from tuner.training.warm_trials import MAX_KEPT_MIB
from tuner.workers.fork_server import load_ahead, load_beside, start_context
from tuner.workers.protocol import Event, Failure, LookAhead, Lost, Ready, Request, WorkerSetup
from tuner.workers.signals import leave_to_driver
from tuner.workers.worker_state import MAX_FAILED_STARTS, WorkerPool, WorkerState

STOP_S = 5.0
# Interval between checks of the memory and the time of busy workers.
WATCH_S = 0.2
# Share of the machine's memory for all workers together, without a limit from the user.
MEMORY_SHARE = 0.9
# Share of a worker's memory for trials that it keeps in case they are promoted.
WARM_SHARE = 0.05
# Characters of a dead worker's output that its trial's error file keeps.
LOG_TAIL = 8000


def _oom_kills() -> int:
    """Return the number of processes that the kernel killed to free memory; 0 if it does not count them."""
    try:
        lines = Path("/proc/vmstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


@dataclass(kw_only=True)
class _Worker(WorkerState):
    process: Any
    connection: Connection
    oom_kills: int = field(default_factory=_oom_kills)

    @property
    def memory_mib(self) -> float:
        """Present resident memory; 0 for a process that has ended."""
        try:
            return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20
        except psutil.NoSuchProcess:
            return 0.0

    def stop(self) -> None:
        """End the process, even if it is busy."""
        self.connection.close()
        self.process.terminate()
        self.process.join(STOP_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class LocalPool(WorkerPool):
    """A fixed number of worker processes, numbered from 0, that share the machine.

    Workers load their backend in the background, write the output of the libraries to `log_path`, leave
    Ctrl-C to the driver, and end when the driver ends.
    """

    def __init__(
        self, setup: WorkerSetup, log_path: Path, size: int = 1, memory_mib: float | None = None
    ) -> None:
        self._setup, self._log_path, self._size = setup, log_path, size
        total_mib = psutil.virtual_memory().total / 2**20
        self._memory_mib = memory_mib or MEMORY_SHARE * total_mib / size
        self._failed_starts = 0
        # With two workers, a build would slow down the other worker. Other backends cannot build a model
        # during a training.
        self.looks_ahead = size == 1 and configured_backend() == "tensorflow"
        load_beside()
        self._workers = [self._start(number) for number in range(size)]

    @staticmethod
    def prepare() -> None:
        """Start the slow part of starting workers in the background."""
        load_ahead()

    def idle(self) -> list[int]:
        """Return the numbers of the workers without a request."""
        return [number for number, worker in enumerate(self._workers) if worker.request is None]

    def place(self, number: int) -> str:
        """Return the name of a worker, empty if it is the only one."""
        return f"worker {number + 1}" if self._size > 1 else ""

    def submit(self, number: int, request: Request, limit_s: float | None = None) -> None:
        """Send a request to an idle worker; `next_event` returns its answers.

        After `limit_s` seconds, not counting its start, a busy worker is killed. Its request then fails with
        reason 'timeout'.
        """
        worker = self._workers[number]
        if worker.is_worn(worker.memory_mib):
            worker.stop()
            worker = self._workers[number] = self._start(number)
        worker.begin(request, limit_s)
        with contextlib.suppress(BrokenPipeError):  # its death is read as an event
            worker.connection.send(request)

    def look_ahead(self, number: int, task: TrainTask) -> None:
        """Tell a worker that trains its probable next trial; this has no answer."""
        worker = self._workers[number]
        worker.following = task
        with contextlib.suppress(BrokenPipeError):  # its death is read as an event
            worker.connection.send(LookAhead(task))

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:
        """Wait for an event; return it with the number of its worker, or None after `timeout` seconds.

        A new worker replaces one that died. The request of that one is answered with Lost if someone else
        ended it, with a Failure if it ended itself or was killed for its memory or time.

        Raises:
            TunerError: workers die before they have loaded their backend.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            found = wait([worker.connection for worker in self._workers], WATCH_S)
            self._watch()
            if found:
                number = next(i for i, worker in enumerate(self._workers) if worker.connection is found[0])
                return number, self._receive(number)
            if end is not None and time.monotonic() >= end:
                return None

    def device(self) -> Ready:
        """Wait until worker 0 has loaded its backend; return its description."""
        while self._workers[0].ready is None:
            self.next_event()
        return self._workers[0].ready

    def close(self) -> None:
        """End all workers, even busy ones."""
        for worker in self._workers:
            worker.stop()

    def _idle_worker(self) -> int:
        return self.idle()[0]

    def _start(self, number: int) -> _Worker:
        context = start_context()
        ours, theirs = context.Pipe()
        # A fork server may be older than the variables of the environment.
        environment = {**os.environ, **share_of_machine(number, self._size)}
        warm_mib = min(MAX_KEPT_MIB, WARM_SHARE * self._memory_mib)
        process = context.Process(  # type: ignore[attr-defined]
            target=_main, args=(theirs, str(self._log_path), environment, warm_mib), daemon=True
        )
        process.start()
        theirs.close()
        with contextlib.suppress(BrokenPipeError):  # its death is read as an event
            ours.send(self._setup)
        return _Worker(process=process, connection=ours)

    def _receive(self, number: int) -> Event:
        worker = self._workers[number]
        try:
            event: Event = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(STOP_S)
            self._workers[number] = self._start(number)
            return self._answer_for_dead(worker)
        if isinstance(event, Ready):
            self._failed_starts = 0
        worker.note(event, worker.memory_mib)
        return event

    def _watch(self) -> None:
        """Kill workers that exceed their memory or time."""
        for worker in self._workers:
            # A look-up of the memory takes time, so it is only made for busy workers.
            if worker.request is not None and worker.ready is not None:
                verdict = worker.excess(worker.memory_mib, self._memory_mib)
                if verdict is not None:
                    worker.verdict = verdict
                    worker.process.kill()

    def _answer_for_dead(self, worker: _Worker) -> Failure | Lost:
        """Return the answer to the request of a worker that died."""
        code = worker.process.exitcode
        by_signal = signal.Signals(-code) if code is not None and code < 0 else None
        cause = f"was killed by {by_signal.name}" if by_signal else f"exited with code {code}"
        if worker.ready is None:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise TunerError(
                    f"{MAX_FAILED_STARTS} worker processes in a row ended while they started, the last one "
                    f"{cause}. Their output is in '{self._log_path}'."
                )
        if worker.request is None:
            return Lost(None, f"the worker process {cause}")
        if worker.following is not None:
            # The memory may be too small for two trials. Training it alone shows whether it is the cause.
            self.looks_ahead = False
            return Lost(worker.trial_id, f"the worker process {cause}")
        if worker.verdict is not None:
            return worker.verdict
        if by_signal == signal.SIGKILL and _oom_kills() > worker.oom_kills:
            return Failure(worker.trial_id, "oom", "the system ran out of memory and killed the worker.", "")
        if by_signal in (signal.SIGKILL, signal.SIGTERM) or worker.ready is None:
            return Lost(worker.trial_id, f"the worker process {cause}")
        output = self._log_path.read_text("utf-8", errors="replace")
        return Failure(worker.trial_id, "crash", f"the worker process {cause}", output[-LOG_TAIL:])


class _Log(io.FileIO):
    """The log of a worker. It loses text where the disk is full, which is the fault of no trial."""

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError):
            super().write(data)
        return len(data)


def _log_stream(number: int) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(_Log(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, "utf-8", "backslashreplace", line_buffering=number == 2)


def _main(connection: Connection, log_path: str, environment: dict[str, str], warm_mib: float) -> None:
    """Run a worker process."""
    leave_to_driver()
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout, sys.stderr = _log_stream(1), _log_stream(2)
    os.environ |= environment
    from tuner.workers.serve import Server, announce

    setup: WorkerSetup = connection.recv()
    requests: queue.Queue[Request] = queue.Queue()
    server = Server(setup, warm_mib)
    reader = threading.Thread(target=_read, args=(connection, requests, server.look_ahead), daemon=True)
    reader.start()
    connection.send(announce())
    sending = threading.Lock()

    def send(event: Event) -> None:
        # The training thread sends steps, the thread that writes checkpoints sends epochs.
        with sending:
            connection.send(event)

    while True:
        event = server.answer(requests.get(), send)
        sys.stdout.flush()
        send(event)


def _read(
    connection: Connection, requests: queue.Queue[Request], look_ahead: Callable[[TrainTask], None]
) -> None:
    """Receive requests while the main thread trains; end the process when the driver ends."""
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            os._exit(1)
        if isinstance(message, LookAhead):
            look_ahead(message.task)
        else:
            requests.put(message)
