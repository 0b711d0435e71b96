"""Pools for tests: the real server of a worker in the test's own process, and one that trains nothing."""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tuner.spaces import hypermodel
from tuner.training.build import build_model
from tuner.training.checkpoint import Epoch, History, read_history, save, take_snapshot
from tuner.training.compute import DEFAULT_COMPUTE, use_precision
from tuner.training.device import configured_backend, load_backend
from tuner.training.source_code import code_hashes, is_installed
from tuner.training.task import EpochDone, RungDone, TrainTask
from tuner.workers.protocol import Event, Pool, Ready, Request, WorkerSetup
from tuner.workers.serve import Server, announce

OWN = ("tests", "tuner", "search_spaces")
# What this process had loaded when the last pool began, for other tests; a worker's process has none of it.
loaded_before: dict[str, object] = {}


class InlinePool:
    """Workers without processes: each request is done, whole, when its first event is asked for.

    Takes the arguments of `LocalPool` and serves the same protocol through the same `Server`. What the
    libraries print goes to the log. Nothing here can be killed or timed out: that needs real processes.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        log_path: Path,
        size: int = 1,
        memory_mib: float | None = None,  # noqa: ARG002 - a limit on processes
    ) -> None:
        self._modules, self._path = set(sys.modules), list(sys.path)
        loaded_before.clear()
        loaded_before.update(sys.modules)
        hypermodel.loaded_space.cache_clear()
        load_backend()
        # What travels to a process has to survive this.
        self._server = self._serve(pickle.loads(pickle.dumps(setup)))
        self._log_path, self._size = log_path, size
        self.looks_ahead = size == 1 and configured_backend() == "tensorflow"
        self._requests: dict[int, Request] = {}
        self._events: deque[tuple[int, Event]] = deque()

    @staticmethod
    def prepare() -> None:
        load_backend()

    def idle(self) -> list[int]:
        busy = {*self._requests, *(number for number, _ in self._events)}
        return [number for number in range(self._size) if number not in busy]

    def place(self, number: int) -> str:
        return f"worker {number + 1}" if self._size > 1 else ""

    def submit(self, number: int, request: Request, limit_s: float | None = None) -> None:  # noqa: ARG002
        assert number in self.idle()
        self._requests[number] = request

    def look_ahead(self, number: int, task: TrainTask) -> None:  # noqa: ARG002
        self._server.look_ahead(task)

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:  # noqa: ARG002
        if not self._events and self._requests:
            number = next(iter(self._requests))
            request = self._requests.pop(number)
            with self._logged():
                answer = self._server.answer(request, lambda event: self._events.append((number, event)))
            self._events.append((number, answer))
        return self._events.popleft() if self._events else None

    def ask(self, request: Request, limit_s: float | None = None) -> Event:  # noqa: ARG002
        with self._logged():
            return self._server.answer(request, lambda _: None)

    def device(self) -> Ready:
        return announce()

    def close(self) -> None:
        """Forget the space, as the end of a process would."""
        import keras

        self._server.finish_build()
        keras.utils.clear_session()
        use_precision(DEFAULT_COMPUTE.precision)
        hypermodel.loaded_space.cache_clear()
        sys.path[:] = self._path
        for name in set(sys.modules) - self._modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and name.partition(".")[0] not in OWN and not is_installed(Path(file).parent):
                del sys.modules[name]

    def __enter__(self) -> InlinePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, setup: WorkerSetup) -> Server:
        return Server(setup)

    @contextlib.contextmanager
    def _logged(self) -> Iterator[None]:
        with (
            self._log_path.open("a", encoding="utf-8") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            yield


Score = Callable[[dict[str, Any], int], float]


class StubServer(Server):
    """Answers as a worker does, but trains nothing: after `epoch` epochs the score of `values` is known.

    Accuracies have that score, losses one minus it. Models are built for their checkpoints, so that a winner
    can be evaluated and exported.
    """

    score: Score

    def _train(self, task: TrainTask, emit: Callable[[Event], None]) -> Event:
        history = read_history(task.checkpoint_dir)
        images = len(self._dataset.splits["train"])
        model = build_model(self._hypermodel, task.values, self._dataset)
        model.optimizer.build(model.trainable_variables)
        # The checkpoint may hold epochs that never reached the driver.
        for number in range(task.epochs_reported + 1, len(history) + 1):
            emit(EpochDone(task.trial_id, task.rung, number, history[number - 1]))
        while len(history) < task.epochs and not task.is_over(history):
            score = type(self).score(task.values, len(history) + 1)
            history = (*history, Epoch(_metrics(score), 0.5, 0.4, images))
            save(task.checkpoint_dir, take_snapshot(model), partial(_validated, task, history))
            emit(EpochDone(task.trial_id, task.rung, len(history), history[-1]))
        return RungDone(
            trial_id=task.trial_id,
            rung=task.rung,
            epochs=len(history),
            stopped_early=task.is_over(history),
            timed_out=False,
            num_params=int(model.count_params()),
            overhead_s=0.1,
        )


def _validated(task: TrainTask, history: History) -> tuple[History, bool]:
    return history, task.best_epoch(history) == len(history)


def _metrics(score: float) -> dict[str, float]:
    rising = {"accuracy": score, "auc": (1 + score) / 2}
    found = {**rising, "loss": 1 - score}
    return found | {f"val_{name}": value for name, value in found.items()}


def stub_pool(score: Score) -> type[InlinePool]:
    """Return a pool whose trials have closed-form scores."""

    class Scored(StubServer):
        pass

    Scored.score = staticmethod(score)

    class StubPool(InlinePool):
        def _serve(self, setup: WorkerSetup) -> Server:
            return Scored(setup)

    return StubPool


@contextlib.contextmanager
def workers_in(pool: type[Pool]) -> Iterator[None]:
    """Let commands of this process have their workers from another pool than that of processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuner.tuning.workers.LocalPool", pool)
        patch.setattr("tuner.workers.serve.code_hashes", _hashes_of_the_space)
        yield


def _hashes_of_the_space() -> dict[str, str]:
    """The hashes of the code without that of this checkout, of which tests load more and more."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] in OWN or _is_foreign(name)]:
            patch.delitem(sys.modules, name)
        return code_hashes()


def _is_foreign(name: str) -> bool:
    """True for a module of the user's that another test has loaded."""
    file = getattr(sys.modules[name], "__file__", None)
    # By what it is, not by its name, which the space of this test may have too.
    is_older = sys.modules[name] is loaded_before.get(name)
    return bool(file) and is_older and not is_installed(Path(str(file)).parent)
