"""The folder of a new run, and the facts in it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuner.config import SearchConfig, to_toml
from tuner.data.dataset import Dataset
from tuner.data.near_copies import near_copies
from tuner.data.sample_size import sample_notes
from tuner.errors import StorageError, UsageError
from tuner.files import reaching, replace_text
from tuner.home_folder import expanded_path
from tuner.results.lock import locked
from tuner.results.query import reference
from tuner.results.run_folder import RunFolder, run_folder
from tuner.results.schema import (
    CODE,
    CONDITIONS,
    CONFIG_FILE,
    RUN_FILE,
    RUN_RUNNING,
    SIGNATURE,
    SPACE_NOTES,
    STORE_FILE,
    TRAINING,
    WORKER_LOG,
)
from tuner.results.signature import signature
from tuner.results.store import Store
from tuner.results.tables import write_json
from tuner.results.unstarted import clear_unstarted, is_unstarted, remove_unstarted
from tuner.spaces.references import label
from tuner.tuning.run_conditions import conditions
from tuner.workers.protocol import Description, Ready


@contextmanager
def new_run_folder(config: SearchConfig, dataset: Dataset) -> Iterator[RunFolder]:
    """Make and lock the folder of a new run: its name, or the time, the space and the data set.

    It is deleted at the end if no search was begun in it; one that a killed search has left is used again.

    Raises:
        UsageError: a run of that name exists, or the results folder cannot be written.
    """
    results = expanded_path(config.results_dir)
    stem = config.name or f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{_slug(label(config.space))}-{dataset.name}"
    # Two runs may start in one second.
    numbered = () if config.name else (f"{stem}-{number}" for number in range(2, 100))
    for path in (results / name for name in (stem, *numbered)):
        with going_on(path), ExitStack() as stack:
            try:
                if not _is_free(path, again=config.name is not None):
                    continue
                stack.enter_context(locked(path))
                # Another process may have begun a run here before this one had the lock.
                if not is_unstarted(path):
                    continue
                stack.callback(remove_unstarted, path)
                clear_unstarted(path)
                (path / WORKER_LOG).touch()
            except OSError as error:
                raise UsageError(
                    f"cannot write results folder '{results}': {error.strerror}. Choose another with "
                    "--results-dir."
                ) from None
            yield run_folder(path, config)
            return
    raise UsageError(
        f"run '{stem}' exists in '{results}'. Choose another --name; a run is never overwritten."
    )


def _is_free(path: Path, again: bool) -> bool:
    """Make the folder of a run; False where it exists, but for one to be used again.

    Raises:
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        return again and is_unstarted(path)
    return True


def require_no_checkpoints(folder: RunFolder) -> None:
    """Refuse storage with checkpoints of another run of the same name: trials would go on from them.

    Raises:
        UsageError: it holds some, or it cannot be used.
        StorageError: the storage does not answer.
    """
    checkpoints = folder.checkpoints
    with reaching(checkpoints):
        taken = checkpoints.is_dir() and any(entry.is_dir() for entry in checkpoints.iterdir())
    if taken:
        raise UsageError(
            f"'{checkpoints}' holds checkpoints of another run '{folder.path.name}'. Choose another --name, "
            "or delete them if that run is over."
        )


@contextmanager
def going_on(path: Path) -> Iterator[None]:
    """Add to an error of the storage how to go on after it.

    Raises:
        UsageError: a file cannot be written, and no run was begun.
        StorageError: the run is begun, and a file cannot be written or read.
    """
    try:
        yield
    except StorageError as error:
        text = str(error).rstrip(".")
        if (path / STORE_FILE).exists():
            again = f"tuner resume {reference(path)}"
            raise StorageError(f"{text}. Then continue with: {again}") from None
        raise UsageError(f"{text}. No run was begun: give the same command again.") from None


def begin_run(
    folder: RunFolder,
    config: SearchConfig,
    dataset: Dataset,
    ready: Ready,
    space: Description,
    initial: list[dict[str, Any]],
) -> Store:
    """Write the facts of a run before its first trial, and return its store.

    Raises:
        StorageError: a file cannot be written.
    """
    counts = dataset.counts()
    facts: dict[str, Any] = {
        "run_id": folder.path.name,
        "started_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "space": config.space,
        "dataset": dataset.name,
        "algorithm": config.algorithm,
        "objective": config.objective.name,
        "direction": config.objective.direction,
        "hyperparameters": space.hyperparameters,
        "default_num_params": space.num_params,
        "initial": initial,
        SPACE_NOTES: list(space.notes),
        TRAINING: list(space.training),
        "data": {
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "class_names": list(dataset.class_names),
            "positive_class": dataset.positive_class,
            "image_shape": list(dataset.image_shape),
            "pixel_range": asdict(dataset.pixel_range),
            "resized": {change: asdict(images) for change, images in dataset.resized.items()},
            "counts": counts,
            "skipped": len(dataset.skipped),
            "notes": [*dataset.notes, *sample_notes(counts, config.class_weights == "auto")],
            "seen_test_images": dataset.seen_test_images,
            "near_test_images": len(near_copies(dataset, "test")),
        },
        "backend": ready.backend,
        "device": ready.device,
        "versions": ready.versions,
        "git_commit": _git_commit(),
        "seed": config.seed,
        "compute": asdict(space.compute),
        CODE: space.code,
        CONDITIONS: conditions(config, dataset, ready, space),
    }
    # Together with the request: a run without it could not go on.
    store = Store.create(folder.store, facts | _begun(config))
    record_config(folder, store, config)
    return store


def record_config(
    folder: RunFolder, store: Store, config: SearchConfig, changes: dict[str, Any] | None = None
) -> None:
    """Record that a search with this request begins or goes on, with changes to the facts, and sign the run.

    Raises:
        StorageError: a file cannot be written.
    """
    facts = _begun(config) | (changes or {})
    record_facts(folder, store, {**facts, SIGNATURE: signature({**store.run(), **facts})})
    replace_text(folder.path / CONFIG_FILE, to_toml(config))


def _begun(config: SearchConfig) -> dict[str, Any]:
    return {"config": config.model_dump(mode="json"), "status": RUN_RUNNING}


def record_facts(folder: RunFolder, store: Store, facts: dict[str, Any]) -> None:
    """Add facts to a run: to its store, then to run.json and the backup.

    Raises:
        StorageError: a file cannot be written.
    """
    store.set_run(facts)
    write_json(folder.path / RUN_FILE, store.run())
    store.back_up()


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-") or "space"


def _git_commit() -> str | None:
    """Commit of the folder that the user works in, where it is a repository."""
    try:
        return subprocess.check_output(
            ["git", "rev-parse", "HEAD"], stderr=subprocess.DEVNULL, text=True, timeout=5
        ).strip()
    except (OSError, subprocess.SubprocessError):
        return None
