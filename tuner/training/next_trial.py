"""The trial that probably comes next, built and traced while another trains."""

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
    """Builds one trial ahead, in a thread of its own.

    Args:
        build: Makes a trial ready to train.
        is_ready: True for a trial, by its id, that needs no build.
    """

    def __init__(self, build: Callable[[TrainTask], BuiltTrial], is_ready: Callable[[str], bool]) -> None:
        self._build, self._is_ready = build, is_ready
        self._hints: SimpleQueue[TrainTask | None] = SimpleQueue()
        self._found: tuple[TrainTask, BuiltTrial] | None = None
        self._thread: Thread | None = None
        self._build_ahead = True

    def __bool__(self) -> bool:
        """True while a trial is held."""
        return self._found is not None

    def hint(self, task: TrainTask) -> None:
        """Name the trial that probably comes next; from any thread, at any time."""
        self._hints.put(task)

    def start(self) -> None:
        """Build what is hinted at from now on; until `stop`, nothing else here may build a model."""
        if self._build_ahead:
            self._thread = Thread(target=self._follow, name="next trial", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Wait for the build under way and begin no other."""
        if self._thread is not None:
            self._hints.put(None)
            self._thread.join()
            self._thread = None

    def take(self, task: TrainTask) -> BuiltTrial | None:
        """Return a trial and forget it; None unless it was built, and stands where its checkpoint does.

        Only to be called after `stop`, as `give_up`.
        """
        if self._found is None or self._found[0].trial_id != task.trial_id:
            return None
        (hinted, built), self._found = self._found, None
        stands = _as_built(hinted) == _as_built(task) and read_history(task.checkpoint_dir) == built.history
        return built if stands else None

    def give_up(self) -> None:
        """Let go of the trial and build none from now on: there is no memory for two."""
        self._found, self._build_ahead = None, False

    def _follow(self) -> None:
        while (task := self._hints.get()) is not None:
            if self._is_ready(task.trial_id) or (self._found is not None and self._found[0] == task):
                continue
            self._found = None
            # It is built again when it is asked for; what is wrong with it is said then.
            with suppress(Exception, SystemExit):
                self._found = task, self._build(task)


def _as_built(task: TrainTask) -> TrainTask:
    """A task without what its build does not depend on."""
    return replace(task, rung=0, epochs=0, epochs_reported=0, left_s=None)
