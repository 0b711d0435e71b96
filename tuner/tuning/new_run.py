"""The folder of a new run, and the facts in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from tuner.config import SearchConfig, to_toml
from tuner.data.dataset import Dataset
from tuner.data.near_copies import near_copies
from tuner.data.sample_size import sample_notes
from tuner.errors import UsageError
from tuner.files import reaching, replace_text
from tuner.home_folder import expanded_path
from tuner.results.run_folder import RunFolder, run_folder
from tuner.results.schema import (
    CODE,
    CONDITIONS,
    CONFIG_FILE,
    RUN_FILE,
    RUN_RUNNING,
    SPACE_NOTES,
    TRAINING,
    WORKER_LOG,
)
from tuner.results.store import Store
from tuner.results.tables import write_json
from tuner.spaces.references import label
from tuner.tuning.run_conditions import conditions
from tuner.workers.protocol import Description, Ready


def make_run_folder(config: SearchConfig, dataset: Dataset) -> RunFolder:
    """Make the folder of a new run: its name, or the time, the space and the data set.

    Raises:
        UsageError: a run of that name exists, or the results folder cannot be written.
    """
    results = expanded_path(config.results_dir)
    stem = config.name or f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{_slug(label(config.space))}-{dataset.name}"
    try:
        results.mkdir(parents=True, exist_ok=True)
        # Two runs may start in one second.
        numbered = () if config.name else (f"{stem}-{number}" for number in range(2, 100))
        for path in (results / name for name in (stem, *numbered)):
            try:
                path.mkdir()
            except FileExistsError:
                continue
            (path / WORKER_LOG).touch()
            return run_folder(path, config)
    except OSError as error:
        raise UsageError(
            f"cannot write results folder '{results}': {error.strerror}. Choose another with --results-dir."
        ) from None
    raise UsageError(
        f"run '{stem}' exists in '{results}'. Choose another --name; a run is never overwritten."
    )


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


def discard_if_unstarted(folder: RunFolder) -> None:
    """Remove a run folder in which no search was begun."""
    if not folder.store.exists():
        shutil.rmtree(folder.path, ignore_errors=True)


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
    store = Store.create(folder.store, facts)
    record_config(folder, store, config)
    return store


def record_config(folder: RunFolder, store: Store, config: SearchConfig) -> None:
    """Record that a search with this request begins or goes on.

    Raises:
        StorageError: a file cannot be written.
    """
    record_facts(folder, store, {"config": config.model_dump(mode="json"), "status": RUN_RUNNING})
    replace_text(folder.path / CONFIG_FILE, to_toml(config))


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
