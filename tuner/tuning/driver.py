"""The loop of a search: ask the Oracle, let a worker train, record, tell the Oracle.

A trial that fails is given up, retried, or restarted with smaller batches here.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tuner.config import SearchConfig
from tuner.errors import StorageError, TunerError
from tuner.files import replace_text
from tuner.results.run_folder import RunFolder
from tuner.results.schema import COMPLETED, CONDITIONS, ERRORS, LATE, RUNNING, SETTLED, STOPPED, TrialRecord
from tuner.results.store import Store
from tuner.spaces.configurations import Values
from tuner.training.task import EpochDone, FailureReason, LateHyperparameters, RungDone, StepsDone, TrainTask
from tuner.tuning.budget import budget_of
from tuner.tuning.checkpoints import Checkpoints
from tuner.tuning.endings import Outcome, outcome_of, too_many
from tuner.tuning.events import Listener, Note, RungEnded, Tally, started
from tuner.tuning.leaders import Leaders
from tuner.tuning.oracles.planned import PlannedOracle
from tuner.tuning.oracles.rungs import Standing
from tuner.tuning.outputs import Outputs
from tuner.tuning.retrain_winner import retrain_winner
from tuner.tuning.reuse import EarlierTrials
from tuner.tuning.tasks import Tasks
from tuner.workers.protocol import Failure, Halt, Lost, Pool

# Number of trials whose best weights stay on disk: the winner may yet fail and lose its place.
KEEP_BEST = 3
# Number of times an epoch is begun if its process is killed from outside each time. Without this limit, a
# trial that brings down the machine would do so at each resume.
MAX_ATTEMPTS = 5
# Seconds between two looks at the budget.
TICK_S = 1.0


class Search:
    """One search over one run folder. `run` may be called once."""

    def __init__(
        self,
        config: SearchConfig,
        folder: RunFolder,
        store: Store,
        oracle: PlannedOracle,
        pool: Pool,
        listener: Listener,
    ) -> None:
        self._config, self._folder, self._store = config, folder, store
        self._oracle, self._pool, self._listener = oracle, pool, listener
        self._objective = config.objective
        self._trials: dict[str, TrialRecord] = {}
        self._checkpoints = Checkpoints(folder)
        self._outputs = Outputs(folder, store, self._trials, self._objective.name)
        self.tally = Tally()
        # In a row, by rung: where the last rung always fails, trials of the others may succeed for ever.
        self._failures: Counter[int] = Counter()
        self._restore()
        self._leaders = Leaders(self._trials, self._objective.direction, KEEP_BEST)
        facts = store.run()
        self._tasks = Tasks(config, oracle.plan, facts, self._checkpoints)
        self._following: tuple[str, Values] | None = None
        if facts.get(SETTLED):
            oracle.settle(*facts[SETTLED])
        reusable = facts.get(CONDITIONS) if config.reuse else None
        self._known = EarlierTrials(folder, reusable, self._objective, lambda text: listener(Note(text)))
        self._epochs_s_before = facts.get("epochs_s", 0.0)
        self._budget = budget_of(config, facts)

    def run(self) -> Outcome:
        """Search to the end of the plan, the space or the budget.

        Raises:
            TunerError: too many trials in a row failed.
            StorageError: the store, a table or a checkpoint cannot be written.
        """
        try:
            while self._submit() or self._oracle.ongoing_trials:
                # On a cluster there may be no worker for hours; time runs out all the same.
                found = self._pool.next_event(TICK_S)
                if found is not None:
                    self._handle(found[1])
                    self._checkpoints.refresh(self._best(), self._oracle.may_continue)
            lacking = self._keep_winner()
        except BaseException:
            with suppress(StorageError):
                self._close()
            raise
        self._close()
        return outcome_of(self._config, self._budget, self._oracle, len(self._trials), lacking)

    def _restore(self) -> None:
        scores = self._store.rung_scores()
        for trial in self._store.trials():
            if trial.status == RUNNING and trial.attempts >= MAX_ATTEMPTS:
                trial = self._fail_killed(trial)
            # A trial that was cut short goes on; its checkpoint knows how far it came.
            status = RUNNING if trial.status == STOPPED else trial.status
            earlier = tuple(scores[trial.trial_id][: trial.rung])
            standing = Standing(trial.bracket, trial.rung, status, trial.score, earlier)
            self._oracle.restore(trial.trial_id, trial.values, standing)
            self._trials[trial.trial_id] = trial

    def _submit(self) -> bool:
        """Give every idle worker a trial; return False where no trial can start now."""
        for worker in self._pool.idle():
            task = self._next_task(worker)
            if task is None:
                return False
            self._pool.submit(worker, task, self._budget.limit_s(self._trials[task.trial_id].duration_s))
            self._look_ahead(worker)
        # Of workers on a cluster, none may have a place for a while.
        return self._budget.allows()

    def _next_task(self, worker: int) -> TrainTask | None:
        """Return the next task to train; epochs that an earlier run has trained are recorded on the way."""
        while self._budget.allows():
            trial = self._oracle.create_trial(f"worker-{worker}")
            if trial.status != RUNNING:
                break
            task = self._begin(trial.trial_id, trial.hyperparameters.values, worker)
            epochs, remaining = self._known.take(task, self._trials[task.trial_id])
            for epoch in epochs:
                self._record(epoch, known=True)
            if isinstance(remaining, TrainTask):
                return remaining
            self._on_rung(remaining)
        return None

    def _keep_winner(self) -> str:
        """Train the winner again where its weights are missing: it was reused, or was not among the best.

        Return the reason why they are still missing, if the time ends first; else an empty text.
        """
        best = next(iter(self._leaders.trials), None)
        if best is None or self._checkpoints.prepare_weights(best.trial_id, best.epochs):
            return ""
        done = retrain_winner(best, self._tasks, self._pool, self._listener, self._budget.left_s)
        if not done.timed_out:
            return ""
        self._budget.end_time()
        self._budget.allows()
        return f"the best trial, {best.trial_id}, has to be trained again, which takes longer"

    def _begin(self, trial_id: str, values: Values, worker: int) -> TrainTask:
        self._checkpoints.begin(trial_id)
        # Before anything is known of this trial, of which an earlier run may know all.
        self._following = self._oracle.peek() if self._pool.looks_ahead else None
        self._store.start_rung(self._in_rung(trial_id, values), {SETTLED: self._oracle.settled})
        record = self._reread(trial_id)
        epochs = self._budget.grant(trial_id, record.epochs, values["tuner/epochs"])
        self._listener(started(record, self._pool.place(worker), record.epochs, epochs))
        return self._tasks.make(record, epochs, self._budget.left_s)

    def _in_rung(self, trial_id: str, values: Values) -> TrialRecord:
        """The record of a trial in the rung that the Oracle gives it."""
        record = self._trials.get(trial_id) or self._tasks.new_trial(trial_id, values)
        return replace(record, rung=values["tuner/round"])

    def _look_ahead(self, worker: int) -> None:
        """Tell a worker its next task, where it can be foreseen and no earlier run has trained it."""
        if self._following is not None and not self._known.has(record := self._in_rung(*self._following)):
            task = self._tasks.make(record, self._following[1]["tuner/epochs"], left_s=None)
            self._pool.look_ahead(worker, task)

    def _handle(self, event: object) -> None:
        match event:
            case StepsDone():
                self._listener(event)
            case EpochDone():
                self._record(event)
            case LateHyperparameters():
                self._on_late(event)
            case RungDone():
                self._on_rung(event)
            case Failure(trial_id=str(trial_id)):
                self._on_failure(self._trials[trial_id], event)
            case Lost(trial_id=str(trial_id)):
                self._on_lost(self._trials[trial_id])
            case Halt():
                raise StorageError(event.message)

    def _record(self, event: EpochDone, known: bool = False) -> None:
        """Record an epoch, trained just now or in an earlier run."""
        value = event.epoch.metrics[self._objective.name]
        is_best = self._objective.better(value, self._trials[event.trial_id].score)
        self.tally.add(event.epoch, known)
        self._budget.spend_epoch(event.trial_id)
        self._store.record_epoch(event, value if is_best else None, self._spent(), known)
        self._reread(event.trial_id)
        self._listener(event)

    def _on_late(self, event: LateHyperparameters) -> None:
        """Extend the space by hyperparameters that a trial brought, from the next proposal on."""
        known = self._trials[event.trial_id].values
        new = {name: value for name, value in event.values.items() if name not in known}
        if not new:
            return
        self._oracle.extend(event.trial_id, event.space, new)
        late = sorted({*self._store.run().get(LATE, ()), *new})
        space = self._oracle.hyperparameters.get_config()
        self._store.add_values(event.trial_id, new, {"hyperparameters": space, LATE: late})
        self._reread(event.trial_id)
        names = ", ".join(new)
        self._listener(Note(f"trial {event.trial_id} declares {names} too, searched from now on"))

    def _on_rung(self, event: RungDone) -> None:
        if event.timed_out:
            # Even if time is left by this clock: else a trial without time to train would start for ever.
            self._budget.end_time()
        done = event.stopped_early or event.epochs >= self._planned_epochs(event.trial_id)
        status = COMPLETED if done else STOPPED
        figures = (event.num_params, event.overhead_s, event.batch_size)
        self._store.finish_rung(event.trial_id, event.rung, status, *figures)
        for rung in range(event.rung + 1):
            del self._failures[rung]
        self._end_rung(self._reread(event.trial_id))

    def _on_failure(self, trial: TrialRecord, event: Failure) -> None:
        if event.reason == "timeout" and self._budget.out_of_time:
            self._store.stop(trial.trial_id)
            self._end_rung(self._reread(trial.trial_id))
        elif event.reason == "oom" and trial.batch_size == self._tasks.batch_size(trial.values) > 1:
            self._begin_again(trial, trial.batch_size // 2)
        else:
            self._end_failed(self._fail(trial, event.reason, event.message, event.traceback))

    def _on_lost(self, trial: TrialRecord) -> None:
        """Retry a trial whose worker was killed from outside, unless that happens each time."""
        if trial.attempts < MAX_ATTEMPTS:
            self._retry(trial.trial_id)
        else:
            self._end_failed(self._fail_killed(trial))

    def _end_failed(self, trial: TrialRecord) -> None:
        """End the rung of a failed trial, and the search after too many failures.

        Raises:
            TunerError: too many trials in a row have failed.
        """
        self._failures[trial.rung] += 1
        self._end_rung(trial)
        in_a_row = self._failures[trial.rung]
        if in_a_row >= self._config.max_failures:
            raise TunerError(too_many(self._trials.values(), in_a_row, trial.rung, self._folder))

    def _begin_again(self, trial: TrialRecord, batch_size: int) -> None:
        """Restart a trial that ran out of memory, with smaller batches."""
        self._checkpoints.discard(trial.trial_id)
        self._store.restart(trial.trial_id, batch_size)
        self._leaders.update(self._reread(trial.trial_id))
        self._retry(trial.trial_id)

    def _retry(self, trial_id: str) -> None:
        """Let the Oracle hand out a trial again, in its rung."""
        self._budget.settle(trial_id)
        self._oracle.retry(trial_id)

    def _fail(
        self, trial: TrialRecord, reason: FailureReason, message: str, traceback: str = ""
    ) -> TrialRecord:
        """Record a failure and return the changed trial."""
        if traceback:
            replace_text(self._folder.path / ERRORS / f"{trial.trial_id}.txt", traceback)
        self._store.fail(trial.trial_id, trial.rung, f"{reason}: {message}")
        return self._reread(trial.trial_id)

    def _fail_killed(self, trial: TrialRecord) -> TrialRecord:
        killed = f"its process was killed {trial.attempts} times before it finished an epoch."
        return self._fail(trial, "crash", killed)

    def _end_rung(self, trial: TrialRecord) -> None:
        """Tell the Oracle and the listener that a trial ended its rung."""
        if trial.status == STOPPED:
            self._retry(trial.trial_id)
        else:
            self._budget.settle(trial.trial_id)
            oracle_trial = self._oracle.trials[trial.trial_id]
            oracle_trial.status, oracle_trial.score = trial.status, trial.score
            self._oracle.end_trial(oracle_trial)
        self._leaders.update(trial)
        self._outputs.refresh()
        is_best = next(iter(self._best()), None) == trial.trial_id
        self._listener(RungEnded(trial, self._planned_epochs(trial.trial_id) - trial.epochs, is_best))

    def _spent(self) -> dict[str, Any]:
        """Facts of the run: the time and the epochs that it has spent so far."""
        return {**self._budget.spent, "epochs_s": self._epochs_s_before + self.tally.epochs_s}

    def _best(self) -> dict[str, int]:
        """Epochs of the trials whose best weights are kept, the best trial first."""
        return {trial.trial_id: trial.epochs for trial in self._leaders.trials}

    def _close(self) -> None:
        """Record that trials under way were stopped, delete needless checkpoints, write the files."""
        for trial_id, trial in list(self._trials.items()):
            if trial.status == RUNNING:
                self._store.stop(trial_id)
                self._reread(trial_id)
        # Builds, failures and interrupted epochs take time too.
        self._store.set_run(self._spent())
        self._checkpoints.prune(self._best(), self._oracle.may_continue)
        self._outputs.write()

    def _reread(self, trial_id: str) -> TrialRecord:
        """Return a trial from the store, after an event that changed it."""
        trial = self._trials[trial_id] = self._store.trial(trial_id)
        return trial

    def _planned_epochs(self, trial_id: str) -> int:
        return int(self._oracle.trials[trial_id].hyperparameters.values["tuner/epochs"])
