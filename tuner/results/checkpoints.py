"""Where the checkpoints of a run are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.files import location
from tuner.results.schema import CHECKPOINTS


def reached_by_workers(run_path: Path, config: Mapping[str, Any]) -> Path:
    """Return the folder of a run that its workers read and write: the run's own, or one in its `storage`.

    Args:
        config: The request of the run.

    Raises:
        UsageError: the storage cannot be used.
    """
    storage = config.get("storage")
    if storage:
        return location(storage) / run_path.name
    # Workers on a cluster run in another folder than the driver.
    return run_path.absolute() if config.get("cluster") else run_path


def checkpoints_of(run_path: Path, config: Mapping[str, Any]) -> Path:
    """Return where the checkpoints of a run's trials are, a folder for each.

    Raises:
        UsageError: the storage cannot be used.
    """
    return reached_by_workers(run_path, config) / CHECKPOINTS
