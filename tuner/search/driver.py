"""The loop of a search: ask the Oracle, let a worker train, record, tell the Oracle."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tuner.config import SearchConfig
from tuner.errors import TunerError
from tuner.results.query import rank
from tuner.results.schema import (
    CHECKPOINTS,
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
from tuner.results.tables import replace_text, write_epochs, write_trials
from tuner.search.events import Listener, RungEnded, TrialStarted
from tuner.search.oracles.planned import PlannedOracle, Standing
from tuner.training.checkpoint import STATE_FILE
from tuner.training.seeds import derive_seed
from tuner.training.trial import EpochDone, Objective, RungDone, StepsDone, TrainTask
from tuner.workers.local import LocalPool
from tuner.workers.protocol import Failure

# Trials whose best weights stay on disk, in case the winner is deposed by a later look.
KEEP_BEST = 3
# The CSV files are rewritten at most this often; the store has every event at once.
TABLES_EVERY_S = 1.0


@dataclass(frozen=True)
class Outcome:
    """How a search ended: 'completed', or 'space exhausted' or 'out of time', of which `note` says more."""

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
        self._checkpointed: set[str] = set()
        self._failures_in_a_row = 0
        self._tables_at = 0.0
        self._deadline = time.time() + config.max_time if config.max_time else None
        self._out_of_time = False
        self._restore()

    def run(self) -> Outcome:
        """Search to the end of the plan, the space or the time.

        Raises:
            TunerError: too many trials in a row failed, or the store cannot be written.
        """
        try:
            while self._submit() or self._oracle.ongoing_trials:
                found = self._pool.next_event()
                if found is not None:
                    self._handle(found[1])
        finally:
            self._write_tables()
        begun = len(self._trials)
        if self._out_of_time:
            return Outcome("out of time", f"out of time, {begun} of {self._config.max_trials} trials begun")
        if self._oracle.exhausted:
            return Outcome(
                "space exhausted", f"space exhausted, {begun} of {begun}: there are no more configurations"
            )
        return Outcome("completed")

    def _restore(self) -> None:
        for trial in self._store.trials():
            # A trial that was cut short goes on; its checkpoint knows how far it came.
            status = RUNNING if trial.status == STOPPED else trial.status
            self._oracle.restore(
                trial.trial_id, trial.values, Standing(trial.bracket, trial.rung, status, trial.score)
            )
            self._trials[trial.trial_id] = trial
        if (self._path / CHECKPOINTS).is_dir():
            self._checkpointed = {path.name for path in (self._path / CHECKPOINTS).iterdir()}

    def _submit(self) -> bool:
        """Give every idle worker a trial; False where nothing was given out."""
        given = False
        for worker in self._pool.idle():
            if self._deadline is not None and time.time() >= self._deadline:
                self._out_of_time = True
                break
            trial = self._oracle.create_trial(f"worker-{worker}")
            if trial.status != RUNNING:
                break
            self._pool.submit(worker, self._begin(trial.trial_id, trial.hyperparameters.values))
            given = True
        return given

    def _begin(self, trial_id: str, values: dict[str, object]) -> TrainTask:
        planned = {name: values[f"tuner/{name}"] for name in ("bracket", "round", "initial_epoch", "epochs")}
        record = self._trials.get(trial_id) or TrialRecord(
            trial_id=trial_id,
            values={name: value for name, value in values.items() if not name.startswith("tuner/")},
            status=RUNNING,
            bracket=int(str(planned["bracket"])),
            rung=0,
            seed=derive_seed(self._config.seed, "trial", int(trial_id)),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        record = replace(record, status=RUNNING, rung=int(str(planned["round"])))
        self._trials[trial_id] = record
        self._checkpointed.add(trial_id)
        self._store.start_rung(record)
        epochs = int(str(planned["epochs"]))
        initial_epoch = max(int(str(planned["initial_epoch"])), record.epochs)
        self._listener(
            TrialStarted(trial_id, record.bracket, record.rung, initial_epoch, epochs, record.values)
        )
        return TrainTask(
            trial_id=trial_id,
            values=record.values,
            rung=record.rung,
            epochs=epochs,
            batch_size=self._config.batch_size,
            patience=self._config.patience,
            objective=self._objective,
            seed=record.seed,
            checkpoint_dir=self._checkpoint(trial_id),
            deadline=self._deadline,
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
            self._on_failure(event)

    def _on_epoch(self, event: EpochDone) -> None:
        trial = self._trials[event.trial_id]
        value = event.metrics[self._objective.name]
        is_best = self._objective.better(value, trial.score)
        self._store.record_epoch(
            event.trial_id, event.rung, event.epoch, event.metrics, value if is_best else None
        )
        if is_best:
            trial = replace(trial, score=value, best_epoch=event.epoch, metrics=event.metrics)
        self._trials[event.trial_id] = replace(trial, epochs=event.epoch)

    def _on_rung(self, event: RungDone) -> None:
        status = STOPPED if event.timed_out else COMPLETED
        self._store.finish_rung(
            event.trial_id,
            event.rung,
            status,
            event.num_params,
            event.duration_s,
            event.train_s,
            event.images,
        )
        trial = self._trials[event.trial_id]
        trial = replace(
            trial,
            status=status,
            num_params=event.num_params,
            duration_s=trial.duration_s + event.duration_s,
            train_s=trial.train_s + event.train_s,
            images=trial.images + event.images,
        )
        self._failures_in_a_row = 0
        self._end_rung(trial, event.epochs)

    def _on_failure(self, event: Failure) -> None:
        assert event.trial_id is not None
        trial = self._trials[event.trial_id]
        error = f"{event.reason}: {event.message}"
        if event.traceback:
            replace_text(self._path / ERRORS / f"{event.trial_id}.txt", event.traceback)
        self._store.fail(event.trial_id, trial.rung, error)
        self._failures_in_a_row += 1
        self._end_rung(replace(trial, status=FAILED, error=error), trial.epochs)
        if self._failures_in_a_row >= self._config.max_failures:
            raise TunerError(self._too_many_failures())

    def _end_rung(self, trial: TrialRecord, epochs: int) -> None:
        """Tell the Oracle, tidy up, tell the listener."""
        self._trials[trial.trial_id] = trial
        oracle_trial = self._oracle.trials[trial.trial_id]
        planned = int(oracle_trial.hyperparameters.values["tuner/epochs"])
        oracle_trial.status, oracle_trial.score = trial.status, trial.score
        self._oracle.end_trial(oracle_trial)
        best = rank(list(self._trials.values()), self._objective.direction)
        self._prune([record.trial_id for record in best[:KEEP_BEST]])
        if time.monotonic() - self._tables_at > TABLES_EVERY_S:
            self._write_tables()
        is_best = bool(best) and best[0].trial_id == trial.trial_id
        self._listener(RungEnded(trial, planned - epochs, is_best))

    def _prune(self, best: list[str]) -> None:
        """Delete what no later step needs: the state of losers, and all but the best weights."""
        for trial_id in sorted(self._checkpointed):
            if self._oracle.may_continue(trial_id):
                continue
            if trial_id in best:
                (self._checkpoint(trial_id) / STATE_FILE).unlink(missing_ok=True)
            else:
                shutil.rmtree(self._checkpoint(trial_id), ignore_errors=True)
                self._checkpointed.discard(trial_id)

    def _checkpoint(self, trial_id: str) -> Path:
        return self._path / CHECKPOINTS / trial_id

    def _write_tables(self) -> None:
        self._tables_at = time.monotonic()
        write_trials(self._path / TRIALS_FILE, list(self._trials.values()), self._objective.name)
        write_epochs(self._path / EPOCHS_FILE, self._store.epochs())

    def _too_many_failures(self) -> str:
        failed = [trial for trial in self._trials.values() if trial.status == FAILED]
        reasons = Counter(trial.error.partition(":")[0] for trial in failed)
        counted = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
        return (
            f"{self._failures_in_a_row} trials in a row failed ({counted}); the last: {failed[-1].error} "
            f"See '{self._path / ERRORS}', or allow more with --max-failures."
        )
