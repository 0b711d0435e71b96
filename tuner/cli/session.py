"""What `tuner search` and `tuner resume` share: data, workers, the search, the winner."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from search_spaces import DataSpec
from tuner.cli.output import note
from tuner.cli.progress import decoding_bar, search_display, show_start, waiting
from tuner.cli.review import print_review
from tuner.config import SearchConfig, split_objective
from tuner.data.dataset import Dataset, load_dataset
from tuner.errors import InterruptedRunError, SpaceError, UsageError
from tuner.results.query import RunView, open_run
from tuner.results.schema import STORE_FILE, WORKER_LOG
from tuner.results.store import Store
from tuner.search.hypermodel import SpaceHyperModel
from tuner.search.oracles import make_oracle, make_plan
from tuner.search.run_folder import begin_run, discard_if_unstarted, locked, make_run_folder, write_run_json
from tuner.search.spaces import check_reference
from tuner.training.device import quiet_import
from tuner.workers.local import LocalPool
from tuner.workers.protocol import Describe, Description, Failure, WorkerSetup


def dry_run(config: SearchConfig, quiet: bool) -> None:
    """Check the request as a search would, show its plan, train nothing and leave nothing behind."""
    check_reference(config.space)
    dataset = _load(config, config.data, quiet)
    with tempfile.TemporaryDirectory() as folder, _pool(config, dataset, Path(folder) / WORKER_LOG) as pool:
        description = _describe(config, pool, quiet)
        show_start(config, make_plan(config), dataset, pool.device().device, description)


def new_search(config: SearchConfig, quiet: bool) -> None:
    """Run a search from its beginning to the review of its winner."""
    check_reference(config.space)
    dataset = _load(config, config.data, quiet)
    path = make_run_folder(config, dataset)
    try:
        with locked(path), _pool(config, dataset, path / WORKER_LOG) as pool:
            description = _describe(config, pool, quiet)
            if not quiet:
                show_start(config, make_plan(config), dataset, pool.device().device, description, path)
            store = begin_run(path, config, dataset, pool.device(), description)
            _search(config, path, store, dataset, pool, quiet)
    finally:
        discard_if_unstarted(path)
    print_review(open_run(path))


def continue_search(run: RunView, quiet: bool) -> None:
    """Take up a run where it stands.

    Raises:
        UsageError: the data or the space are not those that the run was begun with, or it is under way.
    """
    with locked(run.path):
        config = SearchConfig.model_validate(run.facts["config"])
        dataset = _load(config, run.facts["data"]["source"], quiet)
        if dataset.fingerprint != run.facts["data"]["fingerprint"]:
            raise UsageError(_changed("data", run.facts["data"]["counts"], dataset.counts()))
        with _pool(config, dataset, run.path / WORKER_LOG) as pool:
            description = _describe(config, pool, quiet)
            if description.hyperparameters != run.facts["hyperparameters"]:
                raise UsageError(
                    _changed(
                        "search space",
                        _names(run.facts["hyperparameters"]),
                        _names(description.hyperparameters),
                    )
                )
            if not quiet:
                show_start(config, make_plan(config), dataset, pool.device().device, description, run.path)
            store = Store(run.path / STORE_FILE)
            store.set_run({"status": "running"})
            _search(config, run.path, store, dataset, pool, quiet)
    print_review(open_run(run.path))


def _search(
    config: SearchConfig, path: Path, store: Store, dataset: Dataset, pool: LocalPool, quiet: bool
) -> None:
    """Search, then look at the test split once, for the winner."""
    import keras_tuner as kt

    from tuner.evaluation.winner import evaluate_winner
    from tuner.search.driver import Search

    space = kt.HyperParameters.from_config(store.run()["hyperparameters"])
    status = "failed"
    try:
        with search_display(make_plan(config), config, store.trials(), quiet) as listener:
            outcome = Search(config, path, store, make_oracle(config, space), pool, listener).run()
        if outcome.note and not quiet:
            note(outcome.note)
        evaluate_winner(open_run(path), dataset, pool)
        status = outcome.status
    except KeyboardInterrupt:
        status = "interrupted"
        raise InterruptedRunError(
            f"interrupted; the run is saved. Continue with: tuner resume {path.name}"
        ) from None
    finally:
        store.set_run({"status": status})
        write_run_json(path, store)
        store.close()


def _load(config: SearchConfig, source: str, quiet: bool) -> Dataset:
    with decoding_bar(quiet) as advance:
        return load_dataset(
            source,
            image_size=config.image_size,
            seed=config.seed,
            positive=config.positive,
            strict=config.strict,
            progress=advance,
        )


def _pool(config: SearchConfig, dataset: Dataset, log_path: Path) -> LocalPool:
    spec = DataSpec(dataset.image_shape, len(dataset.class_names))
    return LocalPool(WorkerSetup(SpaceHyperModel(config.space, spec), dataset), log_path)


def _describe(config: SearchConfig, pool: LocalPool, quiet: bool) -> Description:
    """Build the default model once, so that a bad request fails before anything is trained.

    Raises:
        SpaceError: the space cannot be loaded or built.
        UsageError: the model does not report the objective.
    """
    with waiting("loading Keras and the search space", quiet):
        with quiet_import():
            import keras_tuner  # noqa: F401 - takes seconds, in which the worker loads its own
        answer = pool.ask(Describe())
    if isinstance(answer, Failure):
        raise SpaceError(f"search space '{config.space}': {answer.message}")
    assert isinstance(answer, Description)
    metric, _ = split_objective(config.objective)
    if metric not in answer.metrics:
        raise UsageError(
            f"objective '{metric}' is not reported by the model. Reported: {', '.join(answer.metrics)}. "
            "Choose one with --objective."
        )
    return answer


def _names(hyperparameters: dict[str, Any]) -> list[str]:
    return [parameter["config"]["name"] for parameter in hyperparameters["space"]]


def _changed(what: str, before: object, now: object) -> str:
    return (
        f"the {what} changed since the run was begun: it was {before}, it is {now}. "
        "Restore it, or start a new search."
    )
