"""How validation accuracy grew in a search: one line of JSON for each finished epoch."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# Accuracies are float32 of either side; the same count of right answers may differ in the last digit.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Header:
    """First line of a log: who searched, on which images and split."""

    side: str
    seed: int
    fingerprint: str
    num_train: int


@dataclass(frozen=True)
class Progress:
    """A finished epoch: seconds since the search's process was started, and its validation accuracy."""

    seconds: float
    trial: str
    epoch: int
    val_accuracy: float


def begin_log(path: Path, header: Header) -> None:
    """Make a log with its first line."""
    path.write_text(f"{json.dumps(asdict(header))}\n", encoding="utf-8")


def append(path: Path, progress: Iterable[Progress]) -> None:
    """Add finished epochs to a log."""
    with path.open("a", encoding="utf-8") as log:
        log.writelines(f"{json.dumps(asdict(epoch))}\n" for epoch in progress)


def read_log(path: Path) -> tuple[Header, list[Progress]]:
    """Return what a log holds, in the order of time; a last line that was cut off is left out.

    Raises:
        ValueError: it is not such a log; the message says so.
    """
    try:
        first, *lines = path.read_text("utf-8").splitlines()
        header = Header(**json.loads(first))
        whole = [line for line in lines if line.endswith("}")]
        epochs = [Progress(**json.loads(line)) for line in whole]
    except OSError as error:
        raise ValueError(f"log '{path}' cannot be read: {error.strerror}. Give another.") from None
    except (TypeError, ValueError):
        raise ValueError(f"'{path}' is no log of benchmarks.time_to_accuracy. Give one of these.") from None
    return header, sorted(epochs, key=lambda epoch: epoch.seconds)


def best(epochs: Sequence[Progress]) -> float | None:
    """Return the highest validation accuracy; None where no epoch was finished."""
    return max((epoch.val_accuracy for epoch in epochs), default=None)


def reaches(value: float | None, level: float) -> bool:
    """True where a validation accuracy is at least a level."""
    return value is not None and value >= level - TOLERANCE


def seconds_to(level: float, epochs: Sequence[Progress]) -> float | None:
    """Return the seconds until validation accuracy was `level` or more; None where it never was."""
    return min((epoch.seconds for epoch in epochs if reaches(epoch.val_accuracy, level)), default=None)


def median_s(seconds: Sequence[float | None]) -> float | None:
    """Return the median. What never was (None) counts as later than all; so the median may be None too."""
    median = statistics.median(math.inf if value is None else value for value in seconds)
    return median if math.isfinite(median) else None


def times_sooner(theirs: float | None, ours: float | None) -> float | None:
    """Return how many times sooner ours is; None where one of the two never was."""
    return theirs / ours if theirs is not None and ours else None
