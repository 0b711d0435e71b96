"""Deep images: those of more than 8 bits a channel, whose pixels Pillow would clip or cut."""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile

from tuner.sources.listing import UnreadableError
from tuner.sources.pixel_range import Extremes, PixelRange, scaled

# Pillow has no mode for 16-bit colours: it keeps the upper byte of each. Big, little or native byte order.
_COLOUR = re.compile(r"(RGBA?;16)([BLN])")
_NATIVE = "L" if sys.byteorder == "little" else "B"


class BeyondRangeError(UnreadableError):
    """A deep image with pixels outside of the range that is scaled to 0..255."""

    def __init__(self, extremes: Extremes, known: PixelRange) -> None:
        """Say which pixels it has, and which can be read."""
        low, high, is_float = extremes
        allowed = f"0..{known.integer_max}"
        if is_float:
            allowed = "0..1, -1..1 or 0..255"
            if known.float_high is not None:
                allowed = f"{known.float_low:g}..{known.float_high:g}"
        super().__init__(f"pixels from {low:g} to {high:g}; {allowed} can be read")
        self.extremes = extremes


class DeepPixels(NamedTuple):
    """Values of a deep image."""

    values: npt.NDArray[Any]
    """Shape (height, width), or (height, width, 3) of colours."""
    alpha: npt.NDArray[np.uint8] | None
    """Opacity, shape (height, width, 1)."""

    @property
    def extremes(self) -> Extremes:
        """Smallest and largest value."""
        is_float = self.values.dtype.kind == "f"
        return Extremes(float(self.values.min()), float(self.values.max()), is_float)

    def to_8_bits(self, known: PixelRange) -> Image.Image:
        """Return the image with pixels of 8 bits.

        Raises:
            BeyondRangeError: it has pixels outside of the range.
        """
        extremes = self.extremes
        found = known.of(extremes)
        if found is None:
            raise BeyondRangeError(extremes, known)
        pixels = scaled(self.values, *found)
        return Image.fromarray(pixels if self.alpha is None else np.dstack((pixels, self.alpha)))


def stored_mode(image: Image.Image) -> str:
    """Return Pillow's mode of an image that is not loaded; of 16-bit colours "RGB;16" or "RGBA;16"."""
    tiles = getattr(image, "tile", None)
    colour = _COLOUR.fullmatch(_raw_mode(tiles[0].args)) if tiles else None
    return colour[1] if colour else image.mode


def is_deep(mode: str) -> bool:
    """Tell whether images of a stored mode have more than 8 bits a channel."""
    return mode.startswith("I") or mode == "F" or is_colour(mode)


def is_colour(mode: str) -> bool:
    """Tell whether images of a stored mode have 16-bit colours."""
    return mode.endswith(";16") and mode.startswith("RGB")


def load_lower_bytes(image: ImageFile) -> ImageFile:
    """Load the lower byte of each 16-bit colour of an image, which is not loaded, and return the image."""
    image.tile = [tile._replace(args=_lower(tile.args)) for tile in image.tile]
    image.load()
    return image


def deep_pixels(image: Image.Image, lower: Image.Image | None = None) -> DeepPixels:
    """Return the values of a deep image; those of colours from their upper and their lower bytes."""
    values = np.asarray(image)
    if lower is None:
        return DeepPixels(values, None)
    joined = values.astype(np.uint16) << 8 | np.asarray(lower)
    return DeepPixels(joined[..., :3], values[..., 3:] if values.shape[-1] == 4 else None)


def _raw_mode(args: Any) -> str:
    return str(args[0] if isinstance(args, tuple) else args)


def _lower(args: Any) -> Any:
    """Return the arguments of a decoder that gives the lower byte: the upper one of the other byte order."""
    raw = _raw_mode(args)
    order = _NATIVE if raw.endswith("N") else raw[-1]
    other = raw[:-1] + ("B" if order == "L" else "L")
    return (other, *args[1:]) if isinstance(args, tuple) else other
