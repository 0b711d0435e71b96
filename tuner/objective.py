"""The metric that ranks trials, and whether less or more of it is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Direction = Literal["min", "max"]

# Names of metrics of the validation split begin with this.
VALIDATION = "val_"
_MINIMIZED = ("loss", "error", "mse", "mae", "brier", "ece", "eer", "hinge", "kl_divergence", "crossentropy")
_MAXIMIZED = ("accuracy", "acc", "auc", "auroc", "precision", "recall", "f1", "f1_score", "average_precision")


class Measured(Protocol):
    """An epoch, as far as an objective looks at it."""

    @property
    def metrics(self) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class Objective:
    """The metric that ranks trials. As text: its name, with `:min` or `:max` where that does not follow."""

    name: str
    direction: Direction

    def __str__(self) -> str:
        return self.name if direction_of(self.name) == self.direction else f"{self.name}:{self.direction}"

    def better(self, value: float, than: float | None) -> bool:
        """True if `value` is finite and better than `than`; any finite value is better than None."""
        if not math.isfinite(value):
            return False
        return than is None or (value > than if self.direction == "max" else value < than)

    def best_epoch(self, history: Sequence[Measured]) -> int | None:
        """Return the number, from 1, of the first epoch with the best value; None if no value is finite."""
        values = [(epoch.metrics[self.name], number) for number, epoch in enumerate(history, start=1)]
        finite = [each for each in values if math.isfinite(each[0])]
        best = max if self.direction == "max" else min
        return best(finite, key=lambda each: each[0])[1] if finite else None

    def has_stalled(self, history: Sequence[Measured], patience: int, since: int = 0) -> bool:
        """True if the last `patience` epochs after epoch `since` brought no gain; never with 0."""
        last_gain = max(since, self.best_epoch(history) or 0)
        return bool(patience) and len(history) - last_gain >= patience


def parse_objective(text: str) -> Objective:
    """Return the objective that a user names: NAME, NAME:min or NAME:max.

    Raises:
        ValueError: the metric is not of the validation split, its name does not tell the direction, or the
            part behind the colon is not min or max.
    """
    name, _, given = text.partition(":")
    if given not in ("", "min", "max"):
        raise ValueError(f"the direction '{given}' is not min or max")
    direction: Direction | None = direction_of(name)
    if given:
        direction = "min" if given == "min" else "max"
    if direction is None:
        raise ValueError(f"add the direction: '{name}:max' or '{name}:min'")
    if not name.startswith(VALIDATION):
        raise ValueError(
            f"'{name}' is measured on the images trained on, so the best fit of these would win; choose "
            f"'{VALIDATION}{text}'"
        )
    return Objective(name, direction)


def direction_of(name: str) -> Direction | None:
    """Return the direction that the name of a metric tells; None where it tells none."""
    base = name.removeprefix(VALIDATION)
    if base in _MAXIMIZED or base.endswith(("accuracy", "_auc")):
        return "max"
    if base in _MINIMIZED or base.endswith(("loss", "error")):
        return "min"
    return None
