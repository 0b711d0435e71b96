"""Corruptions of images, such as happen on the web: compression, blur, noise, scaling, crops, watermarks."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Pixels = npt.NDArray[np.uint8]
Apply = Callable[[Pixels, npt.NDArray[np.int64], float], Pixels]

_NOISE, _CROP = 1, 2
_WATERMARK_DETAIL = 4


@dataclass(frozen=True)
class Corruption:
    """One way to change an image, in several strengths."""

    name: str
    meaning: str
    """Of the numbers in `strengths`."""
    strengths: tuple[float, ...]
    """The mildest first."""
    untouched: float | None
    """The strength without a change, None where no number is one: JPEG at 100 is not lossless."""
    apply: Apply

    def __call__(self, images: Pixels, positions: npt.NDArray[np.int64], strength: float | None) -> Pixels:
        """Return changed images, of the same shape (n, height, width, channels) and type.

        Args:
            images: With 1 or 3 channels.
            positions: Of the images in their data set, shape (n,). The random numbers of an image depend on
                its position alone: they are the same at each strength and in each selection.
            strength: `untouched` returns the images themselves.
        """
        if strength is None or strength == self.untouched:
            return images
        return self.apply(images, positions, strength)


def _jpeg(images: Pixels, _: npt.NDArray[np.int64], quality: float) -> Pixels:
    def compressed(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=round(quality))
        return Image.open(file, formats=["JPEG"])

    return _each(images, compressed)


def _blur(images: Pixels, _: npt.NDArray[np.int64], sigma: float) -> Pixels:
    blurring = ImageFilter.GaussianBlur(sigma)
    return _each(images, lambda image: image.filter(blurring))


def _rescale(images: Pixels, _: npt.NDArray[np.int64], share: float) -> Pixels:
    height, width = images.shape[1:3]
    small = max(1, round(share * width)), max(1, round(share * height))

    def there_and_back(image: Image.Image) -> Image.Image:
        shrunk = image.resize(small, Image.Resampling.BICUBIC)
        return shrunk.resize((width, height), Image.Resampling.BICUBIC)

    return _each(images, there_and_back)


def _crop(images: Pixels, positions: npt.NDArray[np.int64], share: float) -> Pixels:
    height, width = images.shape[1:3]
    kept = np.array([max(1, round(share * width)), max(1, round(share * height))])
    room = np.array([width, height]) - kept
    corners = iter([np.rint(_random(position, _CROP).random(2) * room) for position in positions.tolist()])

    def enlarged(image: Image.Image) -> Image.Image:
        left, top = next(corners)
        box = (left, top, left + kept[0], top + kept[1])
        return image.resize((width, height), Image.Resampling.BICUBIC, box=box)

    return _each(images, enlarged)


def _noise(images: Pixels, positions: npt.NDArray[np.int64], deviation: float) -> Pixels:
    noise = np.empty(images.shape, np.float32)
    for field, position in zip(noise, positions.tolist(), strict=True):
        _random(position, _NOISE).standard_normal(out=field, dtype=np.float32)
    return _to_pixels(images + np.float32(deviation) * noise)


def _brightness(images: Pixels, _: npt.NDArray[np.int64], factor: float) -> Pixels:
    return np.take(_to_pixels(np.arange(256) * factor), images)


def _watermark(images: Pixels, _: npt.NDArray[np.int64], opacity: float) -> Pixels:
    mark, cover = _mark(*images.shape[1:3])
    cover = cover * np.float32(opacity)
    return _to_pixels(images + cover * (mark - images))


@cache
def _mark(height: int, width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The grey of a mark, 0..255, and its cover, 0..1; both of shape (height, width, 1).

    Two diagonals and a ring, as picture agencies print over previews. They need no font; a dark edge makes
    the white lines visible on white.
    """
    size = width * _WATERMARK_DETAIL, height * _WATERMARK_DETAIL
    right, bottom = size[0] - 1, size[1] - 1
    ring = (0.25 * right, 0.25 * bottom, 0.75 * right, 0.75 * bottom)
    mark, cover = Image.new("L", size, 0), Image.new("L", size, 0)
    for image, share in ((cover, 0.08), (mark, 0.045)):
        line = max(1, round(share * min(size)))
        draw = ImageDraw.Draw(image)
        draw.line((0, 0, right, bottom), fill=255, width=line)
        draw.line((0, bottom, right, 0), fill=255, width=line)
        # The width of an ellipse grows inwards: half of it further out, the edge is on both sides.
        out = line / 2
        draw.ellipse((ring[0] - out, ring[1] - out, ring[2] + out, ring[3] + out), outline=255, width=line)
    grey, covered = (
        np.asarray(image.reduce(_WATERMARK_DETAIL), np.float32)[..., None] for image in (mark, cover)
    )
    return grey, covered / np.float32(255)


def _each(images: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    """Change one image after the other with Pillow, in their order."""
    changed = np.empty_like(images)
    for pixels, place in zip(images, changed, strict=True):
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        place[...] = np.asarray(change(image)).reshape(pixels.shape)
    return changed


def _random(position: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([position, purpose])


def _to_pixels(values: npt.NDArray[Any]) -> Pixels:
    pixels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


CORRUPTIONS = (
    Corruption("JPEG", "quality, of 100", (90, 70, 50, 30, 10), None, _jpeg),
    Corruption("blur", "standard deviation of the Gaussian in pixels", (0.5, 1, 1.5, 2, 3), 0, _blur),
    Corruption("noise", "standard deviation in grey levels, of 255", (5, 10, 20, 30, 50), 0, _noise),
    Corruption(
        "rescaling",
        "share of the side it is shrunk to, then enlarged",
        (0.75, 0.5, 0.4, 0.25, 0.125),
        1,
        _rescale,
    ),
    Corruption("crop", "share of the side that is kept, then enlarged", (0.9, 0.8, 0.7, 0.6, 0.5), 1, _crop),
    Corruption("darker", "factor of brightness", (0.8, 0.6, 0.4, 0.3, 0.2), 1, _brightness),
    Corruption("brighter", "factor of brightness", (1.2, 1.4, 1.6, 2, 2.5), 1, _brightness),
    Corruption("watermark", "opacity", (0.1, 0.2, 0.3, 0.5, 0.7), 0, _watermark),
)
"""For the sizes of small-image classifiers; a pixel is one of the image in the size of the model."""
