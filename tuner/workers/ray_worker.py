"""The side of a cluster's worker that is on its node: it serves requests and keeps what there is to tell."""

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

# A shared folder may take so long to show what another machine has written.
MARK_S = 5.0


@dataclass(frozen=True)
class NodeSetup:
    """What a worker on a node knows from the start."""

    worker: WorkerSetup
    content: str
    """Fingerprint of all images of the data set."""
    mark: Path
    """A file of the driver where checkpoints are kept, by which the worker sees whether it reaches them."""
    mark_text: str
    environment: dict[str, str]
    """Variables to set before a backend is loaded."""
    warm_mib: float
    """Memory for trials that are kept for when they are promoted."""


@dataclass(frozen=True)
class Placed:
    """The worker has a place in the cluster."""

    host: str
    node: str
    """By which Ray knows the machine; empty where no Ray is."""


@dataclass(frozen=True)
class NeedsData:
    """The data set is not on this node; it waits for it to be sent."""


@dataclass(frozen=True)
class Refused:
    """The worker is of no use where it is."""

    reason: str
    of_node: bool
    """Whether it would be of no use anywhere on its node; else another may be."""


Told = Event | Placed | NeedsData | Refused


@dataclass(frozen=True)
class Report:
    """What a worker had to tell, in order, and its resident memory."""

    told: tuple[Told, ...]
    memory_mib: float


class Outbox:
    """What a worker has to tell, until it is fetched; of steps only the last is kept."""

    def __init__(self) -> None:
        self._waiting: list[Told] = []
        self._steps: StepsDone | None = None
        self._changed = threading.Condition()

    def put(self, told: Told) -> None:
        with self._changed:
            if isinstance(told, StepsDone):
                self._steps = told
                return
            # The steps of an epoch that is over are news no more.
            self._steps = None
            self._waiting.append(told)
            self._changed.notify()

    def take(self, wait_s: float) -> tuple[Told, ...]:
        """Return what there is as soon as there is more than steps, and after `wait_s` seconds anyway."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting), wait_s)
            steps = () if self._steps is None else (self._steps,)
            told = (*self._waiting, *steps)
            self._waiting, self._steps = [], None
        return told


class NodeWorker:
    """Lives in a process of its own; its methods are called from another machine, and return at once.

    One thread does all requests: Keras keeps much of its state by thread.
    """

    def __init__(self, setup: NodeSetup) -> None:
        os.environ |= setup.environment
        self._setup = setup
        self._outbox = Outbox()
        self._arriving: queue.Queue[Mapping[str, list[Callable[[], Bytes]]]] = queue.Queue()
        self._inbox: queue.Queue[Request] = queue.Queue()
        threading.Thread(target=self._live, daemon=True).start()

    def take_data(self, arriving: Mapping[str, list[Callable[[], Bytes]]]) -> None:
        """Take the data set that the worker said it needs."""
        self._arriving.put(arriving)

    def submit(self, request: Request) -> None:
        """Take a request; one at a time."""
        self._inbox.put(request)

    def report(self, wait_s: float) -> Report:
        """Return what there is to tell, at once or after `wait_s` seconds at most."""
        told = self._outbox.take(wait_s)
        return Report(told, psutil.Process().memory_info().rss / 2**20)

    def _live(self) -> None:
        try:
            self._outbox.put(Placed(socket.gethostname(), _node()))
            self._serve()
        except Exception as error:
            reason = str(error) if isinstance(error, TunerError) else f"{type(error).__name__}: {error}"
            self._outbox.put(Refused(reason, of_node=False))
        except BaseException:
            # Else the thread alone would end, and the process go on telling that there is no news.
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
        server = Server(replace(setup.worker, dataset=dataset), setup.warm_mib)
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
