"""A search from its request to the evaluated winner. It tells a listener each event, and prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.config import SearchConfig
from tuner.data.dataset import Dataset, load_dataset
from tuner.data.near_copies import near_copies
from tuner.data.preparation import MAX_DEFAULT_SIZE
from tuner.data.shortcuts import shortcut_rows, shortcut_warnings, shortcuts
from tuner.errors import InterruptedRunError, StorageError, TunerError, UsageError, one_line
from tuner.files import draft_folder, remove_tree
from tuner.home_folder import expanded_path
from tuner.results.lock import locked
from tuner.results.query import RunView, open_run, reference
from tuner.results.repair import remove_drafts
from tuner.results.run_folder import RunFolder, run_folder
from tuner.results.schema import FAILED, INTERRUPTED, SHORTCUTS, TENSORBOARD, TRAINING
from tuner.results.store import Store
from tuner.results.timings import Stopwatch
from tuner.spaces.references import check_reference, made_for_images_of
from tuner.tuning.budget import budget_of
from tuner.tuning.events import (
    Event,
    Listener,
    Note,
    Prepared,
    SearchEnded,
    SearchStarted,
    Tally,
    WinnerEvaluated,
    busy,
    ignore,
    progress,
)
from tuner.tuning.new_run import (
    begin_run,
    going_on,
    new_run_folder,
    record_config,
    record_facts,
    require_no_checkpoints,
)
from tuner.tuning.oracles import make_oracle, settle_fidelity
from tuner.tuning.run_conditions import acceptance, check_conditions, check_data, check_space
from tuner.tuning.tasks import training_values
from tuner.tuning.trusted_run import TrustedRun, unsigned_note
from tuner.tuning.workers import describe_space, prepare_workers, worker_pool
from tuner.units import counted
from tuner.workers.protocol import Description, Pool

if TYPE_CHECKING:
    from tuner.tuning.endings import Outcome

EvaluateWinner = Callable[[RunView, Dataset, Pool], object]
"""Evaluates the winner of a run on the test split, once, with the workers of its search."""


class Session:
    """One search, for the shell and for Python.

    Args:
        config: The request.
        listener: Hears each event.
        evaluate: Evaluates the winner after the last trial.
    """

    def __init__(self, config: SearchConfig, listener: Listener, evaluate: EvaluateWinner) -> None:
        self._config, self._listener, self._evaluate = config, listener, evaluate
        self._stopwatch = Stopwatch()

    def preview(self) -> None:
        """Check the request as a search does and show its plan. It trains nothing and leaves no files.

        Raises:
            UsageError: a search would refuse the request too.
        """
        dataset = self._prepare(self._config.data)
        results = expanded_path(self._config.results_dir).absolute()
        # Where the workers of a cluster would find the run, too.
        there = next(path for path in (results, *results.parents) if path.is_dir())
        with ExitStack() as stack:
            try:
                place = stack.enter_context(draft_folder(there if self._config.cluster else None))
            except OSError as error:
                raise UsageError(
                    f"cannot write a folder for a moment: {one_line(error)}. Free space."
                ) from None
            folder = run_folder(place, self._config)
            if self._config.storage:
                stack.callback(remove_tree, folder.workers_path, folder.workers_path.parent)
            stack.enter_context(going_on(place))
            with worker_pool(self._config, dataset, folder, self._listener) as pool:
                description = describe_space(self._config, dataset, pool, self._listener)
                self._initial(description)
                self._tell_plan(dataset, pool, description)

    def start(self) -> RunView:
        """Run the search from its beginning, and return the finished run.

        Raises:
            UsageError: the request makes no sense; nothing was started.
            TunerError: the search failed.
            InterruptedRunError: it was interrupted; the run is saved.
        """
        dataset = self._prepare(self._config.data)
        self._stopwatch.end("preparation_s")
        with new_run_folder(self._config, dataset) as folder:
            require_no_checkpoints(folder)
            with worker_pool(self._config, dataset, folder, self._listener) as pool:
                description = describe_space(self._config, dataset, pool, self._listener)
                initial = self._initial(description)
                self._tell_plan(dataset, pool, description, folder.path)
                store = begin_run(folder, self._config, dataset, pool.device(), description, initial)
                self._search(folder, store, dataset, pool)
        return open_run(folder.path)

    def resume(self, run: TrustedRun, *, accept_changed_code: bool = False, retry: bool = False) -> RunView:
        """Take up a run where it stands, and return it finished.

        Args:
            run: One of this request, but for the budget, the workers and the place of the images.
            accept_changed_code: Go on although the code of the space has changed, and record that.
            retry: Start failed trials again.

        Raises:
            UsageError: data or space have changed since the run was begun, or it is under way.
            TunerError: the search failed.
            InterruptedRunError: it was interrupted; the run is saved.
        """
        folder = run_folder(run.path, self._config)
        with going_on(run.path), locked(run.path):
            failed = [trial for trial in run.trials if retry and trial.status == FAILED]
            if failed:
                _require_budget(run, self._config)
            moved = self._config.data != run.config.data
            dataset = self._prepare(self._config.data if moved else run.facts["data"]["source"])
            self._stopwatch.end("preparation_s")
            check_data(run.facts, dataset)
            with worker_pool(self._config, dataset, folder, self._listener) as pool:
                description = describe_space(self._config, dataset, pool, self._listener, run)
                changed = check_space(run.facts, description, accept_changed_code)
                self._tell_plan(dataset, pool, description, folder.path)
                remove_drafts(folder.path)
                store = Store(folder.store)
                moved_to = {"data": {**run.facts["data"], "source": dataset.source}}
                accepted = acceptance(store, description, changed, "search") if changed else {}
                record_config(folder, store, self._config, moved_to | accepted)
                check_conditions(store, self._config, dataset, pool.device(), description)
                for trial in failed:
                    chosen = training_values(self._config, description.training, trial.values)
                    folder.remove_checkpoint(trial.trial_id)
                    store.restart(trial.trial_id, chosen["batch_size"])
                self._search(folder, store, dataset, pool)
        return open_run(folder.path)

    def _prepare(self, source: str) -> Dataset:
        """Return the decoded images, and settle the fidelity, which depends on their number."""
        config = self._config
        check_reference(config.space)
        prepare_workers(config)
        with busy(self._listener, "reading the images"):
            dataset = load_dataset(
                source,
                config,
                seed=config.seed,
                largest=made_for_images_of(config.space) or MAX_DEFAULT_SIZE,
                progress=progress(self._listener),
            )
        self._config = settle_fidelity(config, len(dataset.splits["train"]))
        return dataset

    def _initial(self, description: Description) -> list[dict[str, Any]]:
        """Return the configurations that the user wants tried first."""
        from tuner.spaces.configurations import declared_space
        from tuner.tuning.initial_configurations import initial_configurations

        space = declared_space(description.hyperparameters)
        found = initial_configurations(self._config, space, description.presets)
        if found.left_out:
            rows = counted(found.left_out, "row")
            self._listener(Note(f"{rows} of '{self._config.warm_start}' left out: outside this space"))
        return list(found.configurations)

    def _tell_plan(
        self, dataset: Dataset, pool: Pool, description: Description, path: Path | None = None
    ) -> None:
        with busy(self._listener, "comparing test images with training images"):
            near = len(near_copies(dataset, "test"))
        self._listener(Prepared(self._config, dataset, pool.device().device, description, near, path))

    def _search(self, folder: RunFolder, store: Store, dataset: Dataset, pool: Pool) -> None:
        """Train the trials, then evaluate the winner on the test split."""
        status = "failed"
        try:
            tally, outcome = self._train_trials(folder, store, dataset, pool)
            run = open_run(folder.path)
            lacking = outcome.lacking or ("" if run.ranked else "there is no winner yet")
            if lacking and outcome.status.startswith("out of"):
                status = outcome.status
                raise TunerError(
                    f"{outcome.note}, and {lacking}. Give it more with: tuner resume "
                    f"{reference(folder.path)} --max-time or --max-epochs-total"
                )
            self._evaluate(run, dataset, pool)
            status = outcome.status
            self._listener(WinnerEvaluated(tally, self._config.workers, self._stopwatch.elapsed_s))
        except KeyboardInterrupt:
            status = INTERRUPTED
            raise InterruptedRunError(
                f"interrupted; the run is saved. Continue with: tuner resume {reference(folder.path)}"
            ) from None
        except StorageError as error:
            said = str(error).rstrip(".")
            raise StorageError(f"{said}. Continue with: tuner resume {reference(folder.path)}") from None
        finally:
            # Where the storage fails, that error is on its way to the user already.
            with suppress(StorageError):
                record_facts(folder, store, {"status": status})
            store.close()

    def _train_trials(
        self, folder: RunFolder, store: Store, dataset: Dataset, pool: Pool
    ) -> tuple[Tally, Outcome]:
        from tuner.spaces.configurations import constants, declared_space
        from tuner.tuning.driver import Search
        from tuner.tuning.equivalence import training_on, without_effect

        facts = store.run()
        if unsigned := unsigned_note(facts):
            self._listener(Note(unsigned))
        if SHORTCUTS not in facts:
            found = shortcuts(dataset)
            store.set_run({SHORTCUTS: shortcut_rows(found)})
            for warning in shortcut_warnings(dataset, found):
                self._listener(Note(warning))
        space = declared_space(facts["hyperparameters"])
        training = training_on(dataset, facts[TRAINING])
        oracle = make_oracle(self._config, space, facts["initial"], training)
        for name in without_effect(space, training, oracle.plan):
            text = f"{name} has no effect in this plan; configurations that differ in it count as one"
            self._listener(Note(text))
        with self._recorder(folder, store) as record:

            def listener(event: Event) -> None:
                record(event)
                self._listener(event)

            images = len(dataset.splits["train"])
            listener(SearchStarted(self._config, oracle.plan, images, store.trials(), constants(space)))
            search = Search(self._config, folder, store, oracle, pool, listener)
            self._stopwatch.end("loading_s")
            self._stopwatch.record(store)
            outcome = search.run()
            listener(SearchEnded())
        if outcome.note:
            self._listener(Note(outcome.note))
        return search.tally, outcome

    def _recorder(self, folder: RunFolder, store: Store) -> AbstractContextManager[Listener]:
        """Return the listener that writes the files of TensorBoard, where the user asks for it."""
        if not self._config.tensorboard:
            return nullcontext(ignore)
        from tuner.tuning.tensorboard import TensorBoard

        self._listener(Note(f"Look on with: tensorboard --logdir {folder.path / TENSORBOARD}"))
        return TensorBoard(folder.path / TENSORBOARD, store)


def _require_budget(run: RunView, config: SearchConfig) -> None:
    """Refuse to restart failed trials without a budget: they would lose their errors for nothing.

    Raises:
        UsageError: nothing is left to spend on them.
    """
    budget = budget_of(config, run.facts)
    if not budget.allows():
        raise UsageError(
            f"run '{run.run_id}' is out of {budget.exceeded}: its failed trials cannot be run again. Give it "
            "more with --max-time or --max-epochs-total."
        )
