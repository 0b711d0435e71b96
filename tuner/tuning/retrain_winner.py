"""The winner's weights, trained once more where none were kept."""

from __future__ import annotations

import time

from tuner.errors import StorageError, TunerError
from tuner.results.schema import TrialRecord
from tuner.training.task import RungDone, StepsDone, TrainTask
from tuner.tuning.events import Listener, started
from tuner.tuning.tasks import Tasks
from tuner.workers.protocol import Failure, Halt, Lost, Pool
from tuner.workers.worker_state import MAX_LOST


def retrain_winner(
    trial: TrialRecord, tasks: Tasks, pool: Pool, listener: Listener, left_s: float | None
) -> RungDone:
    """Train all recorded epochs of a trial once more, while no other trial is under way.

    Their scores are those on record, so they are not recorded again.

    Args:
        left_s: Seconds after which the worker begins no step; None without a limit.

    Raises:
        TunerError: the training fails.
        StorageError: its checkpoint cannot be written.
    """
    end = None if left_s is None else time.monotonic() + left_s
    for _ in range(MAX_LOST):
        left_s = None if end is None else end - time.monotonic()
        answer = _answer(trial, tasks.make(trial, trial.epochs, left_s), pool, listener)
        if not isinstance(answer, Lost):
            break
    if isinstance(answer, Halt):
        raise StorageError(answer.message)
    if not isinstance(answer, RungDone):
        reason = answer.message.rstrip(".")
        raise TunerError(f"the best trial, {trial.trial_id}, cannot be trained again: {reason}.")
    return answer


def _answer(
    trial: TrialRecord, task: TrainTask, pool: Pool, listener: Listener
) -> RungDone | Failure | Lost | Halt:
    while not (idle := pool.idle()):
        pool.next_event()
    worker = idle[0]
    listener(started(trial, pool.place(worker), 0, task.epochs))
    pool.submit(worker, task)
    while True:
        found = pool.next_event()
        # Other workers come and go meanwhile.
        event = found[1] if found is not None and found[0] == worker else None
        if isinstance(event, StepsDone):
            listener(event)
        elif isinstance(event, RungDone | Failure | Lost | Halt):
            return event
