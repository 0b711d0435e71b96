"""The values of a hyperparameter as a reader compares them: each for itself, or many numbers in ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Of more different numbers than this, ranges are compared.
MAX_LEVELS = 6
NUM_RANGES = 4


@dataclass(frozen=True)
class Levels:
    """Labels in ascending order, and for each trial the position of its own."""

    labels: tuple[str, ...]
    positions: np.ndarray


def levels(values: Sequence[Any]) -> Levels:
    """Return the level of each value, numbers and texts in ascending order.

    More than MAX_LEVELS different numbers are laid into NUM_RANGES ranges of about as many trials each.
    """
    distinct = ordered(values)
    if len(distinct) <= MAX_LEVELS or not all(map(is_number, distinct)):
        position = {value: i for i, value in enumerate(distinct)}
        return Levels(tuple(map(value_text, distinct)), np.array([position[value] for value in values]))
    numbers = np.array(values, dtype=float)
    # Equal numbers share a range: that of the share of trials below them.
    below = np.searchsorted(np.sort(numbers), numbers, side="left") / len(numbers)
    _, ranges = np.unique((below * NUM_RANGES).astype(int), return_inverse=True)
    labels = []
    for i in range(int(ranges.max()) + 1):
        low, high = numbers[ranges == i].min(), numbers[ranges == i].max()
        labels.append(
            value_text(_like(low, values)) + (f"..{value_text(_like(high, values))}" if high > low else "")
        )
    return Levels(tuple(labels), ranges)


def coordinates(values: Sequence[Any], logarithmic: bool) -> tuple[np.ndarray, float, float]:
    """Return values as numbers, with the bounds of the stretch that they divide.

    Few different values, and texts, take up stretches of equal length; many numbers lie where they are, on a
    logarithmic scale if that is how they are drawn.
    """
    distinct = ordered(values)
    if len(distinct) <= MAX_LEVELS or not all(map(is_number, distinct)):
        position = {value: float(i) for i, value in enumerate(distinct)}
        return np.array([position[value] for value in values]), -0.5, len(distinct) - 0.5
    numbers = np.array(values, dtype=float)
    if logarithmic and numbers.min() > 0:
        numbers = np.log(numbers)
    return numbers, float(numbers.min()), float(numbers.max())


def ordered(values: Sequence[Any]) -> list[Any]:
    """Return the different values, numbers before texts."""
    return sorted(
        set(values), key=lambda value: (not is_number(value), value if is_number(value) else str(value))
    )


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _like(number: float, values: Sequence[Any]) -> Any:
    """The number as the hyperparameter has it: whole where all are."""
    return int(number) if all(isinstance(value, int) for value in values) else float(number)
