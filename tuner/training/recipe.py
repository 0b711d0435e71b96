"""Settings of a training besides architecture, optimizer and number of epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """The settings that `training(hp)` of a space may declare. The defaults change nothing.

    Every second image is flipped. `shift` is the maximum shift as a share of the side, `jpeg_quality` the
    lowest quality (100: not compressed), `blur` the maximum standard deviation in pixels. Each image of each
    epoch has its own random values. With `weight_decay` None, the optimizer decides.
    """

    horizontal_flip: bool = False
    vertical_flip: bool = False
    shift: float = 0.0
    jpeg_quality: int = 100
    blur: float = 0.0
    label_smoothing: float = 0.0
    class_weights: Literal["none", "auto"] = "none"
    weight_decay: float | None = None
    schedule: Literal["constant", "cosine"] = "constant"


PLAIN = Recipe()
TRAINING_NAMES = ("batch_size", "patience", *(field.name for field in fields(Recipe)))
TRAINING_IN_BUILD = ("batch_size",)
"""Those that a `build` without `training` may declare: they cannot mean anything else there."""
NOT_IN_FIT = ("horizontal_flip", "vertical_flip", "shift", "jpeg_quality", "blur", "class_weights")
"""Those that a user's own `fit` has to apply by itself."""
# Allowed values; bounds are inclusive.
_RANGES: dict[str, tuple[float, float]] = {
    "batch_size": (1, 2**20),
    "patience": (0, 2**20),
    "shift": (0, 0.5),
    "jpeg_quality": (1, 100),
    "blur": (0, 10),
    "label_smoothing": (0, 0.5),
    "weight_decay": (0, 1),
}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "horizontal_flip": (True, False),
    "vertical_flip": (True, False),
    "class_weights": ("none", "auto"),
    "schedule": ("constant", "cosine"),
}


def check_value(name: str, value: Any) -> None:
    """Refuse a value that a hyperparameter of the training may not have.

    Raises:
        ValueError: the value is not allowed; the text names the allowed ones: "'shift' may be 0 to 0.5".
    """
    if name in _CHOICES:
        fits, allowed = value in _CHOICES[name], " or ".join(map(str, _CHOICES[name]))
    else:
        low, high = _RANGES[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits, allowed = is_number and low <= value <= high, f"{low} to {high}"
    if not fits:
        raise ValueError(f"'{name}' may be {allowed}")


def make_recipe(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe with these values; other names are ignored."""
    return Recipe(**{field.name: values[field.name] for field in fields(Recipe) if field.name in values})
