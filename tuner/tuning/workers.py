"""The workers of a command, and the description of the search space that they give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from typing import Any, Literal

from search_spaces import DataSpec
from tuner.config import DEFAULT_BATCH_SIZE, SearchConfig
from tuner.data.dataset import Dataset
from tuner.errors import SpaceError, StorageError, UsageError
from tuner.results.lock import locked
from tuner.results.query import RunView
from tuner.results.run_folder import RunFolder
from tuner.results.schema import CODE, WORKER_LOG
from tuner.results.store import Store
from tuner.spaces.references import builtin_names
from tuner.spaces.search_space import SearchSpace
from tuner.spaces.weights import WEIGHTS, weights_value
from tuner.training.device import load_backend
from tuner.training.pixels import RAW
from tuner.tuning.events import Listener, Note, busy
from tuner.tuning.new_run import record_facts
from tuner.tuning.oracles import make_plan
from tuner.tuning.run_conditions import acceptance, check_names, check_space
from tuner.tuning.trusted_run import TrustedRun
from tuner.workers.local import LocalPool
from tuner.workers.protocol import (
    Describe,
    Description,
    Event,
    Failure,
    Halt,
    Pool,
    Unfold,
    WholeSpace,
    WorkerSetup,
)

# A build that takes longer than this in all hangs, or belongs in no search on this machine.
UNFOLD_S = 120.0


def prepare_workers(config: SearchConfig) -> None:
    """Start workers on this machine, which load their backend while the data are prepared."""
    if config.cluster is None:
        LocalPool.prepare()


def worker_pool(
    config: SearchConfig, dataset: Dataset, folder: RunFolder, listener: Listener
) -> AbstractContextManager[Pool]:
    """Return the workers of a request, on this machine or on a cluster, for the run in `folder`.

    Raises:
        UsageError: the cluster does not exist, the storage for checkpoints cannot be used, or the pixels of
            a space that scales them itself are to be scaled.
    """
    if config.pixels != RAW and config.space in builtin_names():
        raise UsageError(
            f"--pixels {config.pixels} is for spaces that do not scale pixels themselves; '{config.space}' "
            "does. Leave it out."
        )
    spec = DataSpec(dataset.image_shape, len(dataset.class_names))
    weights = () if config.weights is None else (f"{WEIGHTS}={weights_value(config.weights)}",)
    asked = ((name, getattr(config, name)) for name in ("batch_size", "patience", "class_weights"))
    fixed = tuple((name, value) for name, value in asked if value is not None)
    hypermodel = SearchSpace(config.space, spec, (*config.hp, *weights), fixed, pixels=config.pixels)
    if config.cluster is None:
        setup = WorkerSetup(hypermodel, dataset)
        return LocalPool(setup, folder.path / WORKER_LOG, config.workers, config.worker_memory)

    from tuner.workers.ray import RayPool
    from tuner.workers.ray_cluster import Share

    share = Share(
        config.cluster, config.workers, config.cpus_per_trial, config.gpus_per_trial, config.worker_memory
    )
    setup = WorkerSetup(hypermodel.carried(), dataset)
    with busy(listener, "starting Ray" if config.cluster == "local" else "joining the cluster"):
        return RayPool(setup, share, folder.checkpoints, lambda text: listener(Note(text)))


def describe_space(
    config: SearchConfig,
    dataset: Dataset,
    pool: Pool,
    listener: Listener,
    run: RunView | None = None,
) -> Description:
    """Build the default model, so that a bad request fails before anything is trained, and unfold the space.

    Args:
        run: A run of this request. If the code is still that of the run, so is the space.

    Raises:
        SpaceError: the space cannot be loaded or built.
        UsageError: the model does not report the objective.
    """
    with busy(listener, "loading Keras and the search space"):
        load_backend()  # takes seconds, in which the worker loads its own
        plan = make_plan(config)
        images = len(dataset.splits["train"]) * plan.passes / plan.trials
        batch_size = config.batch_size or DEFAULT_BATCH_SIZE
        answer = pool.ask(Describe(config.precision, config.xla, batch_size, images, plan.trials))
        if isinstance(answer, Failure):
            raise SpaceError(_of_space(config, answer.message))
        if isinstance(answer, Description):
            answer = _known(answer, run) or _whole(config, answer, pool)
    if isinstance(answer, Halt):
        raise StorageError(answer.message)
    assert isinstance(answer, Description)
    check_names(config, answer)
    metric = config.objective.name
    if metric not in answer.metrics:
        raise UsageError(
            f"objective '{metric}' is not reported by the model. Reported: {', '.join(answer.metrics)}. "
            "Choose one with --objective."
        )
    return answer


def _of_space(config: SearchConfig, message: str) -> str:
    """Return an error of a space that names it, once."""
    return message if f"'{config.space}" in message else f"search space '{config.space}': {message}"


def _known(description: Description, run: RunView | None) -> Description | None:
    """Return the description with the space of a run of the same code, None where it may be another."""
    if run is None or run.facts[CODE] != description.code:
        return None
    space = run.facts["hyperparameters"]
    known = {_identity(each) for each in space["space"]}
    if not known.issuperset(map(_identity, description.hyperparameters["space"])):
        return None
    return replace(description, hyperparameters=space)


def _identity(parameter: dict[str, Any]) -> str:
    """Return what a hyperparameter is, but for its conditions, which builds of other values may add to."""
    return json.dumps({**parameter["config"], "conditions": None}, sort_keys=True)


def _whole(config: SearchConfig, description: Description, pool: Pool) -> Description | Event:
    """Return the description with the whole space; a build of other values may end the worker.

    Raises:
        SpaceError: the whole space cannot be searched.
    """
    answer = pool.ask(Unfold(description.hyperparameters), UNFOLD_S)
    if isinstance(answer, WholeSpace):
        notes = (*answer.notes, *description.notes)
        return replace(description, hyperparameters=answer.hyperparameters, notes=notes)
    if isinstance(answer, Failure):
        if answer.reason == "build":
            raise SpaceError(_of_space(config, answer.message))
        text = (
            f"Not all values could be tried before the search ({answer.message}). A hyperparameter that "
            "appears later is searched from then on."
        )
        return replace(description, notes=(text, *description.notes))
    return answer


@contextmanager
def workers_again(
    run: TrustedRun,
    dataset: Dataset,
    accept_changed_code: bool,
    use: Literal["retraining", "ensemble"],
    listener: Listener,
) -> Iterator[Pool]:
    """Lock a finished run, and yield the workers of its search once more.

    Args:
        dataset: The images of the run.
        accept_changed_code: Build models although the code of the space has changed, and record that.
        use: The purpose, for the record.

    Raises:
        UsageError: another command works on the run, or its search space has changed.
        StorageError: the record cannot be written.
    """
    # The run has settled its arithmetic at its start, so there is nothing to measure.
    config = run.config.model_copy(update={"xla": "off"})
    with locked(run.path), worker_pool(config, dataset, run.folder, listener) as pool:
        description = describe_space(config, dataset, pool, listener, run)
        if changed := check_space(run.facts, description, accept_changed_code):
            with closing(Store(run.folder.store)) as store:
                record_facts(run.folder, store, acceptance(store, description, changed, use))
        yield pool
