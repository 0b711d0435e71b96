"""The order of the images of an epoch, their division into steps, and their place in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tuner.training.build import is_out_of_memory
from tuner.training.seeds import derive_seed
from tuner.training.task import TrialError

# Duration of a dispatch: long enough to cost nothing, short enough for a live display and a prompt stop.
DISPATCH_S = 0.3
FIRST_STEPS = 4

# The device holds images up to this share of its free memory.
MEMORY_SHARE = 0.25

OnStep = Callable[[int, float], None]
"""Takes the number of images done in this epoch and the mean loss so far; may raise to end the epoch."""

_held: tuple[np.ndarray, np.ndarray, Any] | None = None


def held(
    images: np.ndarray,
    labels: np.ndarray,
    put: Callable[[np.ndarray, np.ndarray], Any],
    free_bytes: Callable[[], float],
) -> Any:
    """Put a data set on the device with `put` and return the result, None if it takes too much memory.

    The trials of a process share it; the next data set replaces it.
    """
    global _held
    if _held is None or _held[0] is not images or _held[1] is not labels:
        if images.nbytes > MEMORY_SHARE * free_bytes():
            return None
        try:
            _held = (images, labels, put(images, labels))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None
    return _held[2]


def epoch_order(indices: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Return `indices` shuffled for one epoch. The order depends only on the trial's seed and the epoch."""
    return np.random.default_rng(derive_seed(seed, "shuffle", epoch)).permutation(indices)


def stratified_part(indices: np.ndarray, labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return a share (0..1] of the indices of each class, at least one image of each.

    With the same seed, a larger share contains the smaller one.
    """
    if share >= 1:
        return indices
    order = np.random.default_rng(derive_seed(seed, "part")).permutation(indices)
    parts = []
    for label in np.unique(labels[order]):
        of_class = order[labels[order] == label]
        parts.append(of_class[: max(1, round(share * len(of_class)))])
    return np.sort(np.concatenate(parts))


def loss_of(logs: Mapping[str, float]) -> float:
    """Return the loss that a training step reports.

    Raises:
        TrialError: a user's own step reports no loss.
    """
    if "loss" not in logs:
        raise TrialError(
            "build", f"train_step reports {', '.join(logs) or 'nothing'}, and no 'loss'. Return it too."
        )
    return logs["loss"]


def next_steps(steps: int, done: int, seconds: float) -> int:
    """Return the number of steps of the next dispatch: at least FIRST_STEPS, however long tracing took.

    Args:
        steps: Number of steps planned for the last dispatch.
        done: Number of steps that it ran.
        seconds: Its duration.
    """
    return int(np.clip(DISPATCH_S * done / max(seconds, 1e-6), FIRST_STEPS, 4 * steps))


def chunks(order: np.ndarray, batch_size: int, steps: int) -> list[np.ndarray]:
    """Cut an order into arrays (steps, batch_size) of whole steps, and one (1, n) for the rest.

    The last array of whole steps may hold fewer than `steps`.
    """
    whole = len(order) // batch_size * batch_size
    batches = order[:whole].reshape(-1, batch_size)
    parts = [batches[start : start + steps] for start in range(0, len(batches), steps)]
    if whole < len(order):
        parts.append(order[whole:].reshape(1, -1))
    return parts
