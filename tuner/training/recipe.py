"""How a trial is trained, beside its architecture, its optimizer and its number of epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """What `training(hp)` of a space may declare, each with the value that changes nothing.

    Flips happen to every second image. `shift` is the most of a side that an image is moved by, each way;
    `jpeg_quality` the lowest (100: not compressed); `blur` the largest standard deviation in pixels. Each
    image of each epoch gets its own. `weight_decay` None leaves it to the optimizer.
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
# What the training can do; bounds are inclusive.
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
    """Refuse what a hyperparameter of the training cannot be.

    Raises:
        ValueError: it is another; the text says what is allowed: "'shift' may be 0 to 0.5".
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
    """Return the recipe with these values; other names are left out."""
    return Recipe(**{field.name: values[field.name] for field in fields(Recipe) if field.name in values})
