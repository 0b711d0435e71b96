"""A worker of a cluster on its node: it serves requests and keeps messages until they are fetched."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tuner.data.transport import Bytes, found_here, receive
from tuner.errors import TunerError
from tuner.training.task import StepsDone
from tuner.workers.protocol import Event, Request, WorkerSetup

# Time that a shared folder may take to show a file of another machine.
MARK_S = 5.0


@dataclass(frozen=True)
class RayWorkerSetup:
    """Everything that a worker on a node needs to start."""

    worker: WorkerSetup
    content: str
    """Fingerprint of all images of the data set."""
    mark: Path
    """A file of the driver beside the checkpoints; a worker that can read it reaches them."""
    mark_text: str
    environment: dict[str, str]
    """Variables of the environment to set before the backend is loaded."""


@dataclass(frozen=True)
class Placed:
    """The worker has a place in the cluster."""

    host: str
    node: str
    """Ray's id of the machine; empty without Ray."""


@dataclass(frozen=True)
class NeedsData:
    """The data set is not on this node; the worker waits for it."""


@dataclass(frozen=True)
class Refused:
    """The worker cannot work in its place."""

    reason: str
    of_node: bool
    """True if no worker can work on this node."""


Message = Event | Placed | NeedsData | Refused


@dataclass(frozen=True)
class Report:
    """The messages of a worker in order, and its resident memory."""

    messages: tuple[Message, ...]
    memory_mib: float


class Outbox:
    """Messages of a worker until they are fetched; only the last one about steps is kept."""

    def __init__(self) -> None:
        self._waiting: list[Message] = []
        self._steps: StepsDone | None = None
        self._changed = threading.Condition()

    def put(self, message: Message) -> None:
        with self._changed:
            if isinstance(message, StepsDone):
                self._steps = message
                return
            # The steps of a finished epoch do not matter any more.
            self._steps = None
            self._waiting.append(message)
            self._changed.notify()

    def take(self, wait_s: float) -> tuple[Message, ...]:
        """Return all messages once there are others than steps, after `wait_s` seconds at the latest."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting), wait_s)
            steps = () if self._steps is None else (self._steps,)
            messages = (*self._waiting, *steps)
            self._waiting, self._steps = [], None
        return messages


class RayWorker:
    """An actor in a process of its own. The driver calls its methods, which return quickly.

    One thread does all requests, because Keras keeps much of its state by thread.
    """

    def __init__(self, setup: RayWorkerSetup) -> None:
        os.environ |= setup.environment
        self._setup = setup
        self._outbox = Outbox()
        self._arriving: queue.Queue[Mapping[str, list[Callable[[], Bytes]]]] = queue.Queue()
        self._inbox: queue.Queue[Request] = queue.Queue()
        threading.Thread(target=self._live, daemon=True).start()

    def take_data(self, arriving: Mapping[str, list[Callable[[], Bytes]]]) -> None:
        """Receive the data set that the worker needs."""
        self._arriving.put(arriving)

    def submit(self, request: Request) -> None:
        """Receive a request; one at a time."""
        self._inbox.put(request)

    def report(self, wait_s: float) -> Report:
        """Return the messages, after `wait_s` seconds at the latest."""
        return Report(self._outbox.take(wait_s), psutil.Process().memory_info().rss / 2**20)

    def _live(self) -> None:
        try:
            self._outbox.put(Placed(socket.gethostname(), _node()))
            self._serve()
        except Exception as error:
            reason = str(error) if isinstance(error, TunerError) else f"{type(error).__name__}: {error}"
            self._outbox.put(Refused(reason, of_node=False))
        except BaseException:
            # Otherwise only the thread would end, and the process would go on sending empty reports.
            os._exit(1)

    def _serve(self) -> None:
        setup = self._setup
        if not _reads(setup.mark, setup.mark_text):
            self._outbox.put(
                Refused(
                    f"it cannot reach '{setup.mark.parent}', where checkpoints are kept. Name a folder that "
                    "all nodes have, or a URL such as s3://bucket/folder, with --storage",
                    of_node=True,
                )
            )
            return
        dataset = found_here(setup.worker.dataset, setup.content)
        if dataset is None:
            self._outbox.put(NeedsData())
            dataset = receive(setup.worker.dataset, setup.content, self._arriving.get())

        from tuner.workers.serve import Server, announce

        self._outbox.put(announce())
        server = Server(replace(setup.worker, dataset=dataset))
        while True:
            self._outbox.put(server.answer(self._inbox.get(), self._outbox.put))


def _node() -> str:
    try:
        import ray
    except ImportError:
        return ""
    return str(ray.get_runtime_context().get_node_id()) if ray.is_initialized() else ""


def _reads(mark: Path, text: str) -> bool:
    end = time.monotonic() + MARK_S
    while True:
        with suppress(OSError, ImportError, ValueError):
            if mark.read_text("utf-8") == text:
                return True
        if time.monotonic() >= end:
            return False
        time.sleep(MARK_S / 10)
