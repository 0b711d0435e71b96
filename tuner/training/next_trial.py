"""The probable next trial, built and traced while another trains."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread

from tuner.training.checkpoint import read_history
from tuner.training.task import TrainTask
from tuner.training.warm_trials import BuiltTrial


class NextTrial:
    """Builds the next trial in a thread.

    Args:
        build: Builds a trial.
        is_ready: True for the id of a trial that needs no build.
    """

    def __init__(self, build: Callable[[TrainTask], BuiltTrial], is_ready: Callable[[str], bool]) -> None:
        self._build, self._is_ready = build, is_ready
        self._hints: SimpleQueue[TrainTask | None] = SimpleQueue()
        self._found: tuple[TrainTask, BuiltTrial] | None = None
        self._thread: Thread | None = None
        self._build_ahead = True

    def __bool__(self) -> bool:
        """True while it holds a trial."""
        return self._found is not None

    def hint(self, task: TrainTask) -> None:
        """Name the probable next trial; from any thread, at any time."""
        self._hints.put(task)

    def start(self) -> None:
        """Build hinted trials from now on. Until `stop`, no other code may build a model."""
        if self._build_ahead:
            self._thread = Thread(target=self._follow, name="next trial", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Wait for the current build and start no other."""
        if self._thread is not None:
            self._hints.put(None)
            self._thread.join()
            self._thread = None

    def take(self, task: TrainTask) -> BuiltTrial | None:
        """Return a trial and forget it; None unless it was built and agrees with its checkpoint.

        This and `give_up` may only be called after `stop`.
        """
        if self._found is None or self._found[0].trial_id != task.trial_id:
            return None
        (hinted, built), self._found = self._found, None
        same = _as_built(hinted) == _as_built(task) and read_history(task.checkpoint_dir) == built.history
        return built if same else None

    def give_up(self) -> None:
        """Forget the trial and build no more: the memory is too small for two."""
        self._found, self._build_ahead = None, False

    def _follow(self) -> None:
        while (task := self._hints.get()) is not None:
            if self._is_ready(task.trial_id) or (self._found is not None and self._found[0] == task):
                continue
            self._found = None
            # Its turn builds it again, and reports the error then.
            with suppress(Exception, SystemExit):
                self._found = task, self._build(task)


def _as_built(task: TrainTask) -> TrainTask:
    """Return a task without the fields that its build does not depend on."""
    return replace(task, rung=0, epochs=0, epochs_reported=0, left_s=None)
