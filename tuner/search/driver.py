"""The loop of a search: ask the Oracle, let a worker train, record, tell the Oracle."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tuner.config import SearchConfig
from tuner.errors import StorageError, TunerError
from tuner.files import replace_text
from tuner.results.query import rank, reference
from tuner.results.schema import (
    COMPLETED,
    EPOCHS_FILE,
    ERRORS,
    FAILED,
    RUNNING,
    STOPPED,
    TRIALS_FILE,
    TrialRecord,
)
from tuner.results.store import Store
from tuner.results.tables import write_epochs, write_trials
from tuner.search.budget import Budget
from tuner.search.checkpoints import Checkpoints
from tuner.search.configurations import Values
from tuner.search.events import Listener, RungEnded, TrialStarted
from tuner.search.oracles.planned import PlannedOracle, Standing
from tuner.training.seeds import derive_seed
from tuner.training.trial import EpochDone, FailureReason, Objective, RungDone, StepsDone, TrainTask
from tuner.workers.local import LocalPool
from tuner.workers.protocol import Failure, Halt, Lost

# Trials whose best weights stay on disk, in case the winner is deposed by a later look.
KEEP_BEST = 3
# The CSV files and the backup are rewritten at most this often; the store has every event at once.
TABLES_EVERY_S = 1.0
# So often is an epoch begun whose process was killed from outside each time. A trial that brings down the
# machine would else do so at each resume.
MAX_ATTEMPTS = 5


@dataclass(frozen=True)
class Outcome:
    """How a search ended: completed, space exhausted, out of time, or out of epochs; `note` says more."""

    status: str
    note: str = ""


class Search:
    """One search over one run folder. `run` may be called once."""

    def __init__(
        self,
        config: SearchConfig,
        run_path: Path,
        store: Store,
        oracle: PlannedOracle,
        pool: LocalPool,
        listener: Listener,
    ) -> None:
        self._config, self._path, self._store = config, run_path, store
        self._oracle, self._pool, self._listener = oracle, pool, listener
        self._objective = Objective(oracle.objective.name, oracle.objective.direction)
        self._trials: dict[str, TrialRecord] = {}
        self._checkpoints = Checkpoints(run_path)
        self._failures_in_a_row = 0
        self._tables_at = 0.0
        self._restore()
        spent_epochs = sum(trial.epochs for trial in self._trials.values())
        self._budget = Budget(config, store.run().get("spent_s", 0.0), spent_epochs)

    def run(self) -> Outcome:
        """Search to the end of the plan, the space or the budget.

        Raises:
            TunerError: too many trials in a row failed.
            StorageError: the store, a table or a checkpoint cannot be written.
        """
        try:
            while self._submit() or self._oracle.ongoing_trials:
                found = self._pool.next_event()
                if found is not None:
                    self._handle(found[1])
        except BaseException:
            with suppress(StorageError):
                self._let_go()
                self._write_tables()
            raise
        self._let_go()
        self._write_tables()
        return self._outcome()

    def _outcome(self) -> Outcome:
        begun = len(self._trials)
        # A budget that ended with the plan cut nothing off; the trial asked for here is never begun.
        if self._budget.exceeded and self._oracle.create_trial("worker-0").status == RUNNING:
            status = f"out of {self._budget.exceeded}"
            return Outcome(status, f"{status}, {begun} of {self._config.max_trials} trials begun")
        if self._oracle.exhausted:
            return Outcome(
                "space exhausted", f"space exhausted, {begun} of {begun}: there are no more configurations"
            )
        return Outcome("completed")

    def _restore(self) -> None:
        for trial in self._store.trials():
            if trial.status == RUNNING and trial.attempts >= MAX_ATTEMPTS:
                trial = self._fail(trial, "crash", _killed_too_often(trial.attempts))
            # A trial that was cut short goes on; its checkpoint knows how far it came.
            status = RUNNING if trial.status == STOPPED else trial.status
            self._oracle.restore(
                trial.trial_id, trial.values, Standing(trial.bracket, trial.rung, status, trial.score)
            )
            self._trials[trial.trial_id] = trial

    def _submit(self) -> bool:
        """Give every idle worker a trial; False where nothing was given out."""
        given = False
        for worker in self._pool.idle():
            if not self._budget.allows():
                break
            trial = self._oracle.create_trial(f"worker-{worker}")
            if trial.status != RUNNING:
                break
            task = self._begin(trial.trial_id, trial.hyperparameters.values)
            self._pool.submit(worker, task, self._budget.limit_s(self._trials[trial.trial_id].duration_s))
            given = True
        return given

    def _begin(self, trial_id: str, values: Values) -> TrainTask:
        planned = {name: values[f"tuner/{name}"] for name in ("bracket", "round", "epochs")}
        record = self._trials.get(trial_id) or TrialRecord(
            trial_id=trial_id,
            values={name: value for name, value in values.items() if not name.startswith("tuner/")},
            status=RUNNING,
            bracket=planned["bracket"],
            rung=0,
            seed=derive_seed(self._config.seed, "trial", int(trial_id)),
            batch_size=self._config.batch_size,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._store.start_rung(replace(record, rung=planned["round"]))
        record = self._reread(trial_id)
        epochs = self._budget.grant(trial_id, record.epochs, planned["epochs"])
        self._listener(
            TrialStarted(trial_id, record.bracket, record.rung, record.epochs, epochs, record.values)
        )
        return TrainTask(
            trial_id=trial_id,
            values=record.values,
            rung=record.rung,
            epochs=epochs,
            batch_size=record.batch_size,
            patience=self._config.patience,
            objective=self._objective,
            seed=record.seed,
            checkpoint_dir=self._checkpoints.folder(trial_id),
            epochs_reported=record.epochs,
            deadline=self._budget.deadline,
        )

    def _handle(self, event: object) -> None:
        if isinstance(event, StepsDone):
            self._listener(event)
        elif isinstance(event, EpochDone):
            self._on_epoch(event)
            self._listener(event)
        elif isinstance(event, RungDone):
            self._on_rung(event)
        elif isinstance(event, Failure) and event.trial_id is not None:
            self._on_failure(self._trials[event.trial_id], event)
        elif isinstance(event, Lost) and event.trial_id is not None:
            self._on_lost(self._trials[event.trial_id])
        elif isinstance(event, Halt):
            raise StorageError(event.message)

    def _on_epoch(self, event: EpochDone) -> None:
        value = event.metrics[self._objective.name]
        is_best = self._objective.better(value, self._trials[event.trial_id].score)
        self._store.record_epoch(
            event.trial_id,
            event.rung,
            event.epoch,
            event.metrics,
            value if is_best else None,
            duration_s=event.duration_s,
            train_s=event.train_s,
            images=event.images,
            spent_s=self._budget.spent_s,
        )
        self._budget.spend_epoch(event.trial_id)
        self._reread(event.trial_id)

    def _on_rung(self, event: RungDone) -> None:
        done = event.stopped_early or event.epochs >= self._planned_epochs(event.trial_id)
        status = COMPLETED if done else STOPPED
        self._store.finish_rung(event.trial_id, event.rung, status, event.num_params, event.overhead_s)
        self._failures_in_a_row = 0
        self._end_rung(self._reread(event.trial_id))

    def _on_failure(self, trial: TrialRecord, event: Failure) -> None:
        if event.reason == "timeout" and self._budget.out_of_time:
            self._store.stop(trial.trial_id)
            self._end_rung(self._reread(trial.trial_id))
            return
        if event.reason == "oom" and trial.batch_size == self._config.batch_size > 1:
            self._begin_again(trial, trial.batch_size // 2)
            return
        failed = self._fail(trial, event.reason, event.message, event.traceback)
        self._failures_in_a_row += 1
        self._end_rung(failed)
        if self._failures_in_a_row >= self._config.max_failures:
            raise TunerError(self._too_many_failures())

    def _on_lost(self, trial: TrialRecord) -> None:
        """The worker was killed from outside: the trial is not to blame, unless that happens each time."""
        self._budget.settle(trial.trial_id)
        if trial.attempts < MAX_ATTEMPTS:
            self._oracle.retry(trial.trial_id)
        else:
            self._end_rung(self._fail(trial, "crash", _killed_too_often(trial.attempts)))

    def _begin_again(self, trial: TrialRecord, batch_size: int) -> None:
        """Let a trial that ran out of memory start anew with smaller batches."""
        self._store.restart(trial.trial_id, batch_size)
        self._budget.settle(trial.trial_id)
        self._reread(trial.trial_id)
        self._oracle.retry(trial.trial_id)

    def _fail(
        self, trial: TrialRecord, reason: FailureReason, message: str, traceback: str = ""
    ) -> TrialRecord:
        """Put a failure on record and return the trial as it then is."""
        error = f"{reason}: {message}"
        if traceback:
            replace_text(self._path / ERRORS / f"{trial.trial_id}.txt", traceback)
        self._store.fail(trial.trial_id, trial.rung, error)
        return self._reread(trial.trial_id)

    def _end_rung(self, trial: TrialRecord) -> None:
        """Tell the Oracle, tidy up, tell the listener."""
        self._budget.settle(trial.trial_id)
        if trial.status == STOPPED:
            self._oracle.retry(trial.trial_id)
        else:
            oracle_trial = self._oracle.trials[trial.trial_id]
            oracle_trial.status, oracle_trial.score = trial.status, trial.score
            self._oracle.end_trial(oracle_trial)
        best = rank(list(self._trials.values()), self._objective.direction)
        self._checkpoints.prune([record.trial_id for record in best[:KEEP_BEST]], self._oracle.may_continue)
        if time.monotonic() - self._tables_at > TABLES_EVERY_S:
            self._write_tables()
        is_best = bool(best) and best[0].trial_id == trial.trial_id
        self._listener(RungEnded(trial, self._planned_epochs(trial.trial_id) - trial.epochs, is_best))

    def _let_go(self) -> None:
        """Put on record that trials under way were cut short by no fault of theirs."""
        for trial_id, trial in list(self._trials.items()):
            if trial.status == RUNNING:
                self._store.stop(trial_id)
                self._reread(trial_id)

    def _reread(self, trial_id: str) -> TrialRecord:
        """Return a trial as it is on record, after an event that changed it."""
        trial = self._trials[trial_id] = self._store.trial(trial_id)
        return trial

    def _planned_epochs(self, trial_id: str) -> int:
        return int(self._oracle.trials[trial_id].hyperparameters.values["tuner/epochs"])

    def _write_tables(self) -> None:
        self._tables_at = time.monotonic()
        write_trials(self._path / TRIALS_FILE, list(self._trials.values()), self._objective.name)
        write_epochs(self._path / EPOCHS_FILE, self._store.epochs())
        self._store.back_up()

    def _too_many_failures(self) -> str:
        failed = [trial for trial in self._trials.values() if trial.status == FAILED]
        reasons = Counter(trial.error.partition(":")[0] for trial in failed)
        counted = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
        last = failed[-1].error.rstrip(".")
        return (
            f"{self._failures_in_a_row} trials in a row failed ({counted}); the last: {last}. "
            f"See '{self._path / ERRORS}', allow more with --max-failures, or run them again with: "
            f"tuner retry {reference(self._path)}"
        )


def _killed_too_often(attempts: int) -> str:
    return f"its process was killed {attempts} times before it finished an epoch."
