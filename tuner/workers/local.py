"""Warm child processes on this machine, replaced when they die."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil

from tuner.errors import TunerError
from tuner.training.device import quiet_environment
from tuner.training.trial import EpochDone, StepsDone, TrainTask
from tuner.workers.protocol import Event, Failure, Ready, Request, WorkerSetup

STOP_S = 5.0
# TensorFlow never frees all that a trial took; a worker that has grown by so much is replaced, which takes
# seconds, before it starves the machine.
MAX_GROWTH_MIB = 2048
# Characters of a dead worker's output that its trial's error file keeps.
LOG_TAIL = 8000


@dataclass
class _Worker:
    process: Any
    connection: Connection
    request: Request | None = None
    ready: Ready | None = None
    ready_mib: float = 0.0

    @property
    def memory_mib(self) -> float:
        """Resident memory now; 0 for a process that is gone."""
        try:
            return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20
        except psutil.NoSuchProcess:
            return 0.0

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self.connection.close()
        self.process.terminate()
        self.process.join(STOP_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class LocalPool:
    """A fixed number of worker processes, numbered from 0.

    Workers load their backend while the driver does other things, write whatever the libraries print to
    `log_path`, leave Ctrl-C to the driver, and end themselves when the driver is gone.
    """

    def __init__(self, setup: WorkerSetup, log_path: Path, size: int = 1) -> None:
        self._setup, self._log_path = setup, log_path
        self._workers = [self._start() for _ in range(size)]

    def idle(self) -> list[int]:
        """Numbers of the workers that wait for a request."""
        return [number for number, worker in enumerate(self._workers) if worker.request is None]

    def submit(self, number: int, request: Request) -> None:
        """Hand a request to an idle worker; `next_event` brings its answers."""
        worker = self._workers[number]
        assert worker.request is None
        if worker.ready and worker.memory_mib - worker.ready_mib > MAX_GROWTH_MIB:
            worker.stop()
            worker = self._workers[number] = self._start()
        worker.request = request
        with contextlib.suppress(BrokenPipeError):  # its death is read as an event
            worker.connection.send(request)

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:
        """Wait for the next event and the worker it comes from; None after `timeout` seconds of silence.

        A worker that dies answers its request with a Failure and is replaced.

        Raises:
            TunerError: a worker dies before it could load its backend.
        """
        found = wait([worker.connection for worker in self._workers], timeout)
        if not found:
            return None
        number = next(i for i, worker in enumerate(self._workers) if worker.connection is found[0])
        worker = self._workers[number]
        try:
            event: Event = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            event = self._bury(worker)
            self._workers[number] = self._start()
            return number, event
        if isinstance(event, Ready):
            worker.ready, worker.ready_mib = event, worker.memory_mib
        elif not isinstance(event, StepsDone | EpochDone):
            worker.request = None
        return number, event

    def ask(self, request: Request) -> Event:
        """Let worker 0 do one request to its end and return the answer; all workers must be idle."""
        self.submit(0, request)
        while True:
            found = self.next_event()
            if found is not None and not isinstance(found[1], Ready):
                return found[1]

    def device(self) -> Ready:
        """Wait until worker 0 has loaded its backend; return what it says of itself."""
        while self._workers[0].ready is None:
            self.next_event()
        return self._workers[0].ready

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in self._workers:
            worker.stop()

    def __enter__(self) -> LocalPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        for name, value in quiet_environment().items():
            os.environ.setdefault(name, value)
        ours, theirs = context.Pipe()
        process = context.Process(target=_main, args=(theirs, str(self._log_path)), daemon=True)
        process.start()
        theirs.close()
        ours.send(self._setup)
        return _Worker(process, ours)

    def _bury(self, worker: _Worker) -> Failure:
        worker.process.join(STOP_S)
        code = worker.process.exitcode
        cause = (
            f"was killed by {signal.Signals(-code).name}" if code and code < 0 else f"exited with code {code}"
        )
        if worker.ready is None:
            raise TunerError(
                f"a worker process {cause} while it started. Its output is in '{self._log_path}'."
            )
        trial_id = worker.request.trial_id if isinstance(worker.request, TrainTask) else None
        output = self._log_path.read_text("utf-8", errors="replace")
        return Failure(trial_id, "crash", f"the worker process {cause}", output[-LOG_TAIL:])


def _main(connection: Connection, log_path: str) -> None:
    """Life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from tuner.workers.serve import Server, announce

    setup: WorkerSetup = connection.recv()
    requests: queue.Queue[Request] = queue.Queue()
    threading.Thread(target=_read, args=(connection, requests), daemon=True).start()
    connection.send(announce())
    server = Server(setup)
    while True:
        event = server.answer(requests.get(), connection.send)
        sys.stdout.flush()
        connection.send(event)


def _read(connection: Connection, requests: queue.Queue[Request]) -> None:
    """Take requests while the main thread trains; when the driver is gone, so is this process."""
    while True:
        try:
            requests.put(connection.recv())
        except (EOFError, OSError):
            os._exit(1)
