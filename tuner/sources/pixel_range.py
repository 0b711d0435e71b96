"""The range of deep pixels, those of more than 8 bits and floats, that becomes 0..255: one for all images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tuner.data_options import SPLITS
from tuner.errors import DataError
from tuner.units import counted

TOLERANCE = 0.01
"""Share of a range by which floats may overshoot it; they are cut off."""

_MAXIMA = (255, 1023, 4095, 16383, 65535)
# Up to here floats overshoot 0..1, by a gain or by resizing; above, they are in another unit.
_LARGEST_OVERSHOOT = 2
# Parts of a data set whose largest pixels differ so much are in different units.
_OTHER_UNIT = 16
_LEAST_CONTRAST = 255 / 10

Key = TypeVar("Key", bound=Hashable)


class Extremes(NamedTuple):
    """The smallest and the largest deep pixel of one image, or of several."""

    low: float
    high: float
    is_float: bool

    @property
    def are_readable(self) -> bool:
        """Whether an image with them can be read at all."""
        return FULL_RANGE.of(self) is not None


class DeepImage(NamedTuple):
    """A deep image within its data set."""

    split: str
    """Empty where the source gives none."""
    class_name: str
    extremes: Extremes


@dataclass(frozen=True)
class PixelRange:
    """Deep pixels that become 0 and 255; those between keep their distances."""

    integer_max: int = _MAXIMA[-1]
    """Becomes 255; 0 stays 0."""
    float_low: float = 0.0
    float_high: float | None = None
    """None: floats have a range in each image, found by `float_range`."""

    def of(self, extremes: Extremes) -> tuple[float, float] | None:
        """Return the pixels that become 0 and 255 in an image, None where it goes beyond them."""
        low, high, is_float = extremes
        if is_float and self.float_high is None:
            return float_range(low, high)
        found = (self.float_low, self.float_high) if is_float and self.float_high else (0, self.integer_max)
        room = TOLERANCE if is_float else 0
        return found if found[0] - room <= low and high <= found[1] * (1 + room) else None


FULL_RANGE = PixelRange()
"""Of 16-bit integers, and of the floats of each image: for images that no data set goes before."""


def integer_max(maximum: int) -> int:
    """Return the largest value of the fewest bits that hold all pixels of a data set: 8, 10, 12, 14 or 16.

    Args:
        maximum: The largest pixel of all images, 0..65535.
    """
    return next(limit for limit in _MAXIMA if maximum <= limit)


def float_range(low: float, high: float) -> tuple[float, float] | None:
    """Return the pixels that become 0 and 255, of floats from `low` to `high`; None where that is unknown.

    They are those of 0..1, -1..1 or 0..255, with TOLERANCE. Above 1, up to 2, the maximum becomes 255. Above
    255 the pixels count as integers of more bits.
    """
    if low >= -TOLERANCE and high <= _MAXIMA[-1] * (1 + TOLERANCE):
        if high <= 1 + TOLERANCE:
            return 0.0, 1.0
        return 0.0, high if high <= _LARGEST_OVERSHOOT else float(integer_max(int(high / (1 + TOLERANCE))))
    return (-1.0, 1.0) if low >= -1 - TOLERANCE and high <= 1 + TOLERANCE else None


def scaled(values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Return pixels so that `low` becomes 0 and `high` 255, rounded; others beyond are cut off."""
    steps = values.astype(np.float32)  # changed in place: it may hold 89 million pixels
    steps -= low
    steps *= 255 / (high - low)
    return np.rint(steps, out=steps).clip(0, 255, out=steps).astype(np.uint8)


def common_range(measured: Iterable[Extremes]) -> PixelRange:
    """Return one range for all these images; for kinds of pixels that none has, the default."""
    by_kind = _joined((each.is_float, each) for each in measured)
    integers, floats = by_kind.get(False), by_kind.get(True)
    top = integer_max(int(integers.high)) if integers else _MAXIMA[-1]
    found = float_range(floats.low, floats.high) if floats else None
    return PixelRange(top, *found) if found else PixelRange(top)


def require_alike(images: Sequence[DeepImage], location: str) -> None:
    """Check that one range suits all images: integers of all splits, floats of all splits and classes.

    Integers of one class may be much darker than those of another, as in microscopy.

    Raises:
        DataError: two parts are in different units.
    """
    for is_float in (False, True):
        parts = _joined(
            (f"{image.split}/{image.class_name}".strip("/") if is_float else image.split, image.extremes)
            for image in images
            if image.extremes.is_float == is_float
        )
        ranges = {}
        for name, found in parts.items():
            own = common_range([found]).of(found)
            if own is None:
                raise DataError(
                    f"{location}: pixels of '{name}' go from {found.low:g} to {found.high:g}. Floats are "
                    "read from 0..1, -1..1 or 0..255. Scale all images to one of these."
                )
            ranges[name] = own
        if not ranges:
            continue
        one = min(ranges, key=lambda name: ranges[name])
        other = max(ranges, key=lambda name: ranges[name][::-1])
        (low, high), (other_low, other_high) = ranges[one], ranges[other]
        if low != other_low or other_high >= _OTHER_UNIT * high:
            raise DataError(
                f"{location}: pixels of '{one}' are in {low:g}..{high:g}, those of '{other}' in "
                f"{other_low:g}..{other_high:g}. All images need the same range. Scale those of one part."
            )


def require_light_splits(images: npt.NDArray[np.uint8], splits: npt.NDArray[Any], location: str) -> None:
    """Check that no split has pixels of only 0 and 1 beside one that has others.

    Args:
        images: Pixels as models see them.
        splits: Index into SPLITS of each image, or NO_SPLIT.

    Raises:
        DataError: one has; its pixels are in another unit.
    """
    places = {SPLITS[split]: np.flatnonzero(splits == split) for split in np.unique(splits) if split >= 0}
    is_light = {name: any(images[place].max() > 1 for place in found) for name, found in places.items()}
    if len(set(is_light.values())) > 1:
        dark, light = (
            next(name for name in is_light if is_light[name] is wanted) for wanted in (False, True)
        )
        raise DataError(
            f"{location}: all pixels of '{dark}' are 0 or 1 of 0..255, those of '{light}' are not. All "
            f"images need the same range. Multiply those of '{dark}' by 255."
        )


def range_notes(images: Sequence[DeepImage], found: PixelRange) -> list[str]:
    """Return sentences on the range of deep pixels; none where there are no such images."""
    by_kind = _joined((image.extremes.is_float, image.extremes) for image in images)
    counts = Counter(image.extremes.is_float for image in images)
    notes = []
    if integers := by_kind.get(False):
        bits = found.integer_max.bit_length()
        notes.append(
            f"pixels of {counted(counts[False], '16-bit image')} from {integers.low:g} to {integers.high:g}: "
            f"0..{found.integer_max}, the range of {bits} bits, becomes 0..255"
        )
        classes = _joined(
            (image.class_name, image.extremes) for image in images if not image.extremes.is_float
        )
        notes += [
            f"warning: 16-bit pixels of class '{name}' go up to {high:g} only and become nearly black. Scale "
            "the images of all classes to one range, unless that class is so dark."
            for name, (_, high, _) in classes.items()
            if integer_max(int(high)) * _OTHER_UNIT <= found.integer_max
        ]
    if (floats := by_kind.get(True)) and found.float_high:
        notes.append(
            f"pixels of {counted(counts[True], 'image')} of floats from {floats.low:g} to {floats.high:g}: "
            f"{found.float_low:g}..{found.float_high:g} becomes 0..255"
        )
        dark = sum(image.extremes.is_float and 0 < image.extremes.high <= 1 for image in images)
        if dark and found.float_high > _LARGEST_OVERSHOOT:
            notes.append(
                f"warning: {counted(dark, 'image')} of floats lie within 0..1 and become black. "
                "Scale all images to one range."
            )
    return notes


def contrast_notes(minimum: int, maximum: int) -> list[str]:
    """Return a warning where the pixels of all images together use less than a tenth of 0..255."""
    if maximum - minimum >= _LEAST_CONTRAST:
        return []
    factor = 255 // max(maximum, 1)
    remedy = f"Multiply them by {factor}" if maximum and factor > 1 else "Check the files"
    return [
        f"warning: all pixels are from {minimum} to {maximum} of 0..255, so the images have hardly any "
        f"contrast. {remedy}, or expect models to learn little."
    ]


def _joined(parts: Iterable[tuple[Key, Extremes]]) -> dict[Key, Extremes]:
    """Return the extremes of all images of a key together."""
    found: dict[Key, Extremes] = {}
    for key, (low, high, is_float) in parts:
        if known := found.get(key):
            low, high = min(low, known.low), max(high, known.high)
        found[key] = Extremes(low, high, is_float)
    return found
