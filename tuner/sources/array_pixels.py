"""From arrays of any usual shape and range to images of 0..255."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite, isqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tuner.errors import DataError
from tuner.sources.pixel_range import (
    FULL_RANGE,
    TOLERANCE,
    Extremes,
    PixelRange,
    float_range,
    integer_max,
    scaled,
)

_CHANNELS = (1, 3, 4)
_ALLOWED = (
    "Allowed: shape (n, height, width), or with 1, 3 or 4 channels after or before them, of whole numbers "
    "in 0..65535, or floats in 0..1, -1..1 or 0..255"
)
# Integers converted at a time, a bound on the memory.
_CHUNK_PIXELS = 2**22


class Images(NamedTuple):
    """One array of images."""

    name: str
    pixels: npt.NDArray[Any]
    is_training: bool


class Converted(NamedTuple):
    """Images as bytes."""

    pixels: list[npt.NDArray[np.uint8]]
    """Of each array, shape (n, height, width) or (n, height, width, channels)."""
    notes: tuple[str, ...]
    """Sentences on changes."""
    pixel_range: PixelRange | None
    """Range that has become 0..255; None where the pixels were bytes."""


class _Span(NamedTuple):
    """The smallest and the largest pixel of an array."""

    images: Images
    low: float
    high: float

    @property
    def is_float(self) -> bool:
        return self.images.pixels.dtype.kind == "f"

    def __str__(self) -> str:
        return f"{self.images.name} from {self.low:g} to {self.high:g}"


def bytes_of(
    arrays: Sequence[Images], data_format: str | None, location: str, known: PixelRange = FULL_RANGE
) -> Converted:
    """Return images as bytes. One range of pixels holds for all arrays of a file.

    Args:
        data_format: "channels_last" or "channels_first"; None: found by the shape.
        known: Range that a model was trained on; it holds where the pixels are within it.

    Raises:
        DataError: shape, type or range of an array is unknown, or the ranges differ.
    """
    arrays = [images._replace(pixels=_numeric(images, location)) for images in arrays]
    upright = [_channels_last(images, data_format, location) for images in arrays]
    moved = [before.name for before, after in zip(arrays, upright, strict=True) if before is not after]
    notes = [f"channels of {', '.join(moved)} come before height and width"] if moved else []
    spans = [_Span(each, float(each.pixels.min()), float(each.pixels.max())) for each in upright]
    low, high = _as_known(_common_range(spans, location), spans, known)
    notes += _range_notes(spans, low, high)
    pixels = [_scaled(each.pixels, low, high) for each in upright]
    if any(span.is_float for span in spans):
        return Converted(pixels, tuple(notes), PixelRange(float_low=low, float_high=high))
    return Converted(pixels, tuple(notes), PixelRange(int(high)) if high > 255 else None)


def _numeric(images: Images, location: str) -> npt.NDArray[Any]:
    """Return the pixels as numbers; black and white may be bool."""
    x = images.pixels
    if x.dtype.kind not in "uifb" or x.size == 0:
        raise _refused(images, location, "Convert it.")
    return x.astype(np.uint8) if x.dtype.kind == "b" else x


def _channels_last(images: Images, data_format: str | None, location: str) -> Images:
    x = images.pixels
    if x.ndim == 2:
        raise _refused(images, location, _reshaped(images.name, x.shape[1]))
    if x.ndim == 3:
        return images
    if x.ndim != 4:
        raise _refused(images, location, "Reshape it.")
    possible = [
        name
        for name, axis in (("channels_last", 3), ("channels_first", 1))
        if x.shape[axis] in _CHANNELS and data_format in (name, None)
    ]
    if len(possible) > 1:
        raise DataError(
            f"{location}: {images.name} of shape {x.shape} may have its channels first or last. "
            f"Allowed: --data-format channels_first, channels_last. Give it."
        )
    if not possible:
        given = f" As --data-format {data_format}, it has no 1, 3 or 4 channels." if data_format else ""
        raise _refused(images, location, f"Transpose it to (n, height, width, channels).{given}")
    return images if possible == ["channels_last"] else images._replace(pixels=np.moveaxis(x, 1, 3))


def _reshaped(name: str, length: int) -> str:
    """Return how to make images of rows of pixels."""
    shape, side, coloured_side = "height, width, channels", isqrt(length), isqrt(length // 3)
    if side**2 == length:
        shape = f"{side}, {side}"
    elif 3 * coloured_side**2 == length:
        side = coloured_side
        planes = f"3, {side}, {side}"
        shape = f"{side}, {side}, 3) or, where all red values come first, {name}.reshape(-1, {planes}"
    return f"Its images are rows of {length:,} values: save {name}.reshape(-1, {shape})."


def _refused(images: Images, location: str, remedy: str) -> DataError:
    x = images.pixels
    return DataError(
        f"{location}: {images.name} has shape {x.shape} and dtype {x.dtype}. {_ALLOWED}. {remedy}"
    )


def _common_range(spans: Sequence[_Span], location: str) -> tuple[float, float]:
    """Return the pixels that become 0 and 255 in all arrays.

    Raises:
        DataError: it is unknown for an array, or differs between them.
    """
    ranges = [_range(span, location) for span in spans]
    widest = max(range(len(spans)), key=lambda index: ranges[index][1] - ranges[index][0])
    for span, found in zip(spans, ranges, strict=True):
        if found != ranges[widest] and not _may_be_darker(span, spans[widest]):
            raise DataError(
                f"{location}: pixels of {span}, of {spans[widest]}. "
                f"All arrays of a file need the same range. Scale one of them like the other."
            )
    return ranges[widest]


def _as_known(found: tuple[float, float], spans: Sequence[_Span], known: PixelRange) -> tuple[float, float]:
    """Return the range of a model for pixels of its kind, where they are within it."""
    is_float = any(span.is_float for span in spans)
    is_known = known.float_high is not None if is_float else known.integer_max < FULL_RANGE.integer_max
    is_deep = is_float or found[1] > 255
    extremes = Extremes(min(span.low for span in spans), max(span.high for span in spans), is_float)
    return (known.of(extremes) if is_known and is_deep else None) or found


def _may_be_darker(span: _Span, widest: _Span) -> bool:
    """Tell whether pixels in the units of the widest array may happen to be small here.

    Those of more than 8 bits may need fewer bits. Validation and test images may be black.
    """
    dtype, other = span.images.pixels.dtype, widest.images.pixels.dtype
    if dtype != other and not (span.is_float and widest.is_float):
        return False
    if not span.is_float and span.high > 255:
        return True
    black = span.low >= 0 and span.high <= 1 and _are_whole(span.images.pixels)
    return black and not span.images.is_training


def _range(span: _Span, location: str) -> tuple[float, float]:
    """Return the pixels that become 0 and 255, by those of one array alone."""
    low, high = span.low, span.high
    if not (isfinite(low) and isfinite(high)):
        raise _out_of_range(span, location, "Leave out the images with NaN or infinite pixels.")
    if not span.is_float:
        if low < 0 or high > 65535:
            remedy = "Add 128." if span.images.pixels.dtype == np.int8 else "Scale it to 0..255."
            raise _out_of_range(span, location, remedy)
        return (0, 1) if high == 1 else (0, integer_max(int(high)))
    name = span.images.name
    found = float_range(low, high)
    if found is None:
        raise _out_of_range(span, location, _remedy(span))
    if found[0] < 0 and high - low <= 1 + TOLERANCE:
        raise _out_of_range(span, location, f"It looks like 0..1 less its mean: save {name} + mean.")
    # Whole numbers are dark pixels of 0..255, not of 0..1 with an overshoot.
    return (0, 255) if 1 + TOLERANCE < high < 255 and _are_whole(span.images.pixels) else found


def _remedy(span: _Span) -> str:
    name = span.images.name
    if span.low >= -64 and 128 < span.high <= 320:
        return f"Save np.clip({name}, 0, 255)."
    if span.low >= 0:
        return "Scale it to 0..255."
    return f"It looks standardised: save {name} * std + mean, with the values that it was standardised with."


def _out_of_range(span: _Span, location: str, remedy: str) -> DataError:
    return DataError(f"{location}: pixels of {span}. {_ALLOWED}. {remedy}")


def _are_whole(pixels: npt.NDArray[Any]) -> bool:
    """Tell whether all pixels are whole numbers."""
    return pixels.dtype.kind != "f" or all(map(_is_whole, _parts(pixels)))


def _is_whole(pixels: npt.NDArray[Any]) -> bool:
    return np.array_equal(pixels, np.rint(pixels))


def _parts(pixels: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield the images some at a time."""
    step = max(1, _CHUNK_PIXELS * len(pixels) // pixels.size)
    return (pixels[start : start + step] for start in range(0, len(pixels), step))


def _scaled(pixels: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint8 and (low, high) == (0, 255):
        return pixels
    return np.concatenate([scaled(part, low, high) for part in _parts(pixels)])


def _range_notes(spans: Sequence[_Span], low: float, high: float) -> list[str]:
    """Return sentences on pixels that are not those of the file."""
    lowest, highest = min(span.low for span in spans), max(span.high for span in spans)
    found = f"pixels of {', '.join(span.images.name for span in spans)} from {lowest:g} to {highest:g}"
    if (low, high) != (0, 255):
        why = f", the range of {int(high).bit_length()} bits," if high > 255 else ""
        if 1 < high < 255:
            why = ", neither 0..1 nor 0..255, is scaled by the maximum and"
        return [f"{found}: {low:g}..{high:g}{why} becomes 0..255"]
    if any(span.images.pixels.dtype == np.uint16 for span in spans):
        return [f"{found}: numbers of 16 bits, taken as 0..255"]
    if not all(_are_whole(span.images.pixels) for span in spans):
        return [f"{found}: rounded to whole numbers"]
    return []
