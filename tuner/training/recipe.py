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


def make_recipe(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe with these values; other names are left out."""
    return Recipe(**{field.name: values[field.name] for field in fields(Recipe) if field.name in values})
