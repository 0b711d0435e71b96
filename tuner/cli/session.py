"""What `tuner search` and `tuner resume` share: data, workers, the search, the winner."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tuner.cli.output import note
from tuner.cli.progress import decoding_bar, search_display
from tuner.cli.review import print_review
from tuner.cli.search_summary import show_speed, show_start
from tuner.cli.shortcuts import shortcut_rows, warn_of_shortcuts
from tuner.cli.workers import describe_space, prepare_workers, worker_pool
from tuner.config import SearchConfig, make_config
from tuner.data.dataset import Dataset, load_dataset
from tuner.data.preparation import MAX_DEFAULT_SIZE
from tuner.errors import InterruptedRunError, StorageError, TunerError, UsageError
from tuner.files import DRAFT_PREFIX, remove_tree
from tuner.results.checkpoints import reached_by_workers
from tuner.results.lock import locked
from tuner.results.query import RunView, open_run, reference
from tuner.results.repair import remove_drafts
from tuner.results.schema import FAILED, INTERRUPTED, SHORTCUTS, STORE_FILE, TENSORBOARD, TrialRecord
from tuner.results.store import Store
from tuner.results.timings import Stopwatch
from tuner.spaces.references import check_reference, made_for_images_of
from tuner.tuning.budget import budget_of
from tuner.tuning.events import Event, Listener
from tuner.tuning.new_run import (
    begin_run,
    discard_if_unstarted,
    make_run_folder,
    record_config,
    require_no_checkpoints,
    write_run_json,
)
from tuner.tuning.oracles import make_oracle, settle_fidelity
from tuner.tuning.run_conditions import (
    check_code,
    check_conditions,
    check_data,
    check_space,
    note_changed_code,
)
from tuner.tuning.tasks import TRAINING, training_values
from tuner.units import counted
from tuner.workers.protocol import Description, Pool


def dry_run(config: SearchConfig, quiet: bool) -> None:
    """Check the request as a search would, show its plan, train nothing and leave nothing behind."""
    check_reference(config.space)
    prepare_workers(config)
    dataset = _load(config, config.data, quiet)
    config = settle_fidelity(config, len(dataset.splits["train"]))
    results = Path(config.results_dir).absolute()
    # Where the workers of a cluster would find the run, too.
    there = next(folder for folder in (results, *results.parents) if folder.is_dir())
    try:
        folder = tempfile.TemporaryDirectory(prefix=DRAFT_PREFIX, dir=there if config.cluster else None)
    except OSError as error:
        raise UsageError(
            f"cannot write folder '{there}': {error.strerror}. Choose another with --results-dir."
        ) from None
    with folder as name:
        try:
            with worker_pool(config, dataset, Path(name), quiet) as pool:
                description = describe_space(config, dataset, pool, quiet)
                _initial(config, description, quiet)
                show_start(config, dataset, pool.device().device, description)
        finally:
            if config.storage:
                remove_tree(reached_by_workers(Path(name), config.model_dump()))


def new_search(config: SearchConfig, quiet: bool) -> None:
    """Run a search from its beginning to the review of its winner."""
    stopwatch = Stopwatch()
    check_reference(config.space)
    prepare_workers(config)
    dataset = _load(config, config.data, quiet)
    config = settle_fidelity(config, len(dataset.splits["train"]))
    stopwatch.end("preparation_s")
    path = make_run_folder(config, dataset)
    try:
        require_no_checkpoints(path, config)
        with locked(path), worker_pool(config, dataset, path, quiet) as pool:
            description = describe_space(config, dataset, pool, quiet)
            initial = _initial(config, description, quiet)
            if not quiet:
                show_start(config, dataset, pool.device().device, description, path)
            store = begin_run(path, config, dataset, pool.device(), description, initial)
            _search(config, path, store, dataset, pool, quiet, stopwatch)
    finally:
        discard_if_unstarted(path)
    print_review(open_run(path))


def continue_search(
    run: RunView, changes: dict[str, Any], accept_changed_code: bool, retry: bool, quiet: bool
) -> None:
    """Take up a run where it stands.

    Args:
        changes: Fields of the request to replace; none of those that decide what is tried.
        accept_changed_code: Go on with other code of the space than the run was begun with, and note it.
        retry: Let trials that failed begin again.

    Raises:
        UsageError: the data or the space are not those that the run was begun with, or it is under way.
    """
    stopwatch = Stopwatch()
    with locked(run.path):
        config = make_config({**run.facts["config"], **changes})
        if retry:
            _require_budget(run, config)
        prepare_workers(config)
        dataset = _load(config, changes.get("data", run.facts["data"]["source"]), quiet)
        stopwatch.end("preparation_s")
        check_data(run.facts, dataset)
        with worker_pool(config, dataset, run.path, quiet) as pool:
            description = describe_space(config, dataset, pool, quiet)
            check_space(run.facts, description)
            changed = check_code(run.facts, description, accept_changed_code)
            if not quiet:
                show_start(config, dataset, pool.device().device, description, run.path)
            remove_drafts(run.path)
            store = Store(run.path / STORE_FILE)
            record_config(run.path, store, config)
            if "data" in changes:
                store.set_run({"data": {**run.facts["data"], "source": dataset.source}})
            if changed:
                note_changed_code(store, description, changed, "search")
            check_conditions(store, config, dataset, pool.device(), description)
            if retry:
                _restart_failed(run, config, store, description)
            _search(config, run.path, store, dataset, pool, quiet, stopwatch)
    print_review(open_run(run.path))


def _restart_failed(run: RunView, config: SearchConfig, store: Store, description: Description) -> None:
    for trial in _failed(run):
        chosen = training_values(config, description.training, trial.values)
        store.restart(trial.trial_id, chosen["batch_size"])


def _require_budget(run: RunView, config: SearchConfig) -> None:
    """Refuse to begin failed trials again that could not be trained: their errors would be lost for nothing.

    Raises:
        UsageError: nothing is left to spend on them.
    """
    budget = budget_of(config, run.facts, run.trials)
    if _failed(run) and not budget.allows():
        raise UsageError(
            f"run '{run.run_id}' is out of {budget.exceeded}: its failed trials cannot be run again. Give it "
            "more with --max-time or --max-epochs-total."
        )


def _failed(run: RunView) -> list[TrialRecord]:
    return [trial for trial in run.trials if trial.status == FAILED]


def _search(
    config: SearchConfig,
    path: Path,
    store: Store,
    dataset: Dataset,
    pool: Pool,
    quiet: bool,
    stopwatch: Stopwatch,
) -> None:
    """Search, then look at the test split once, for the winner."""
    status = "failed"
    try:
        from tuner.evaluation.winner import evaluate_winner
        from tuner.spaces.configurations import constants, declared_space
        from tuner.tuning.driver import Search
        from tuner.tuning.equivalence import training_on, without_effect

        facts = store.run()
        if SHORTCUTS not in facts:
            store.set_run({SHORTCUTS: shortcut_rows(warn_of_shortcuts(dataset, quiet))})
        space = declared_space(facts["hyperparameters"])
        training = training_on(dataset, facts.get(TRAINING, ()))
        oracle = make_oracle(config, space, facts.get("initial", []), training)
        if not quiet:
            for name in without_effect(space, training, oracle.plan):
                note(f"{name} has no effect in this plan; configurations that differ in it count as one")
        with (
            _recorded(config, path, store, quiet) as record,
            search_display(
                oracle.plan, len(dataset.splits["train"]), config, store.trials(), constants(space), quiet
            ) as show,
        ):

            def listener(event: Event) -> None:
                record(event)
                show(event)

            search = Search(config, path, store, oracle, pool, listener)
            stopwatch.end("loading_s")
            stopwatch.record(store)
            outcome = search.run()
        if outcome.note and not quiet:
            note(outcome.note)
        run = open_run(path)
        lacking = outcome.lacking or ("" if run.ranked else "there is no winner yet")
        if lacking and outcome.status.startswith("out of"):
            status = outcome.status
            raise TunerError(
                f"{outcome.note}, and {lacking}. Give it more with: tuner resume "
                f"{reference(path)} --max-time or --max-epochs-total"
            )
        evaluate_winner(run, dataset, pool)
        status = outcome.status
        if not quiet:
            show_speed(search.tally, config.workers, stopwatch.elapsed_s)
    except KeyboardInterrupt:
        status = INTERRUPTED
        raise InterruptedRunError(
            f"interrupted; the run is saved. Continue with: tuner resume {reference(path)}"
        ) from None
    finally:
        # Where the storage fails, that error is on its way to the user already.
        with suppress(StorageError):
            store.set_run({"status": status})
            write_run_json(path, store)
            store.back_up()
        store.close()


@contextmanager
def _recorded(config: SearchConfig, path: Path, store: Store, quiet: bool) -> Iterator[Listener]:
    """Yield the listener that writes what TensorBoard reads, where that is asked for."""
    if not config.tensorboard:
        yield lambda _: None
        return
    from tuner.tuning.tensorboard import TensorBoard

    if not quiet:
        note(f"Look on with: tensorboard --logdir {path / TENSORBOARD}")
    with TensorBoard(path / TENSORBOARD, store) as board:
        yield board


def _load(config: SearchConfig, source: str, quiet: bool) -> Dataset:
    with decoding_bar(quiet) as advance:
        return load_dataset(
            source,
            image_size=config.image_size,
            seed=config.seed,
            positive=config.positive,
            strict=config.strict,
            limit=config.limit,
            limit_test=config.limit_test,
            largest=made_for_images_of(config.space) or MAX_DEFAULT_SIZE,
            progress=advance,
        )


def _initial(config: SearchConfig, description: Description, quiet: bool) -> list[dict[str, Any]]:
    """The configurations that the user wants tried first."""
    from tuner.spaces.configurations import declared_space
    from tuner.tuning.initial_configurations import initial_configurations

    space = declared_space(description.hyperparameters)
    found = initial_configurations(config, space, description.presets)
    if found.left_out and not quiet:
        rows = counted(found.left_out, "row")
        note(f"{rows} of '{config.warm_start}' left out: outside this space")
    return list(found.configurations)
