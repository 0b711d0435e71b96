"""Random changes to training images, computed on the device, with the same result on every backend.

A row of random numbers, drawn on the host from the trial's seed and the epoch, determines the changes of an
image. They depend neither on the batch or the device nor on interruptions of the training.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuner.training.recipe import Recipe
from tuner.training.seeds import derive_seed

# Columns of the random numbers.
_FLIP_X, _FLIP_Y, _SHIFT_X, _SHIFT_Y, _QUALITY, _BLUR = range(6)
NUM_DRAWS = 6

# Quantisation tables of ISO/IEC 10918-1, annex K.1, luminance and chrominance, for quality 50.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# RGB to YCbCr and back: JFIF 1.02, section 7.
_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)
# Side of the squares that JPEG compresses, with colours at half the resolution.
_MCU = 16


def is_augmented(recipe: Recipe) -> bool:
    """True if a recipe changes images."""
    return (
        recipe.horizontal_flip
        or recipe.vertical_flip
        or recipe.shift > 0
        or recipe.blur > 0
        or recipe.jpeg_quality < 100
    )


def draw(recipe: Recipe, count: int, seed: int, epoch: int) -> np.ndarray:
    """Return random numbers in [0, 1) for each image of an epoch, (count, NUM_DRAWS); (count, 0) for none."""
    if not is_augmented(recipe):
        return np.zeros((count, 0), np.float32)
    rng = np.random.default_rng(derive_seed(seed, "augmentation", epoch))
    return rng.random((count, NUM_DRAWS), np.float32)


def augment(recipe: Recipe, images: Any, draws: Any) -> Any:
    """Return changed copies of images (batch, height, width, channels) with values 0..255, as float32.

    Args:
        draws: Random numbers of these images, (batch, NUM_DRAWS).
    """
    from keras import ops

    images = ops.cast(images, "float32")
    for axis, flip, flip_column, shift_column in (
        (1, recipe.vertical_flip, _FLIP_Y, _SHIFT_Y),
        (2, recipe.horizontal_flip, _FLIP_X, _SHIFT_X),
    ):
        if flip or recipe.shift:
            images = _moved(images, axis, flip, recipe.shift, draws[:, flip_column], draws[:, shift_column])
    if recipe.blur:
        images = _blurred(images, recipe.blur, draws[:, _BLUR])
    if recipe.jpeg_quality < 100:
        quality = recipe.jpeg_quality + (100 - recipe.jpeg_quality) * draws[:, _QUALITY]
        images = compressed(images, quality)
    return images


def _moved(images: Any, axis: int, flip: bool, shift: float, flip_draw: Any, shift_draw: Any) -> Any:
    """Flip and shift along an axis; a shift fills the border with a mirror image."""
    from keras import ops

    side = images.shape[axis]
    most = round(shift * side)
    source = ops.arange(side, dtype="float32")[None, :]
    source = source + (ops.floor(shift_draw * (2 * most + 1)) - most)[:, None]
    source = (side - 1) - ops.abs((side - 1) - ops.abs(source))
    if flip:
        source = ops.where((flip_draw < 0.5)[:, None], (side - 1) - source, source)
    # A product with a permutation-like matrix: much faster than gathering pixels one by one.
    selection = ops.one_hot(ops.cast(source, "int32"), side, dtype="float32")
    return ops.einsum("bos,bswc->bowc" if axis == 1 else "bos,bhsc->bhoc", selection, images)


def _blurred(images: Any, largest: float, draws: Any) -> Any:
    """Blur each image with a Gaussian of its own, with a standard deviation of up to `largest` pixels."""
    from keras import ops

    reach = min(math.ceil(3 * largest), *images.shape[1:3])
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    sigma = ops.maximum(largest * draws, 1e-3)[:, None]
    weights = ops.exp(-0.5 * (offsets[None, :] / sigma) ** 2)
    weights = weights / ops.sum(weights, axis=1, keepdims=True)
    for axis in (1, 2):
        pads = [[0, 0]] * 4
        pads[axis] = [reach, reach]
        padded = ops.pad(images, pads, mode="symmetric")
        side = images.shape[axis]
        images = sum(
            weights[:, i, None, None, None]
            * (padded[:, i : i + side] if axis == 1 else padded[:, :, i : i + side])
            for i in range(2 * reach + 1)
        )
    return images


def compressed(images: Any, quality: Any) -> Any:
    """Return images after a JPEG compression, with colours at half the resolution.

    Images (batch, height, width, 1 or 3) with values 0..255, quality (batch,) 1..100.

    Source: ISO/IEC 10918-1, annexes A and K; the scale of the tables is that of libjpeg, jcparam.c.
    """
    from keras import ops

    height, width, channels = images.shape[1:]
    pads = [[0, 0], [0, -height % _MCU], [0, -width % _MCU], [0, 0]]
    padded = ops.pad(images, pads, mode="symmetric") if any(map(any, pads)) else images
    if channels == 1:
        planes = _quantised(padded - 128, _LUMINANCE, quality) + 128
    else:
        forth = np.array(_TO_YCBCR, np.float32)
        colours = ops.einsum("ij,bhwj->bhwi", forth, padded)
        light = _quantised(colours[..., :1] - 128, _LUMINANCE, quality) + 128
        halved = _quantised(_halved(colours[..., 1:]), _CHROMINANCE, quality)
        tone = ops.repeat(ops.repeat(halved, 2, axis=1), 2, axis=2)
        planes = ops.einsum("ij,bhwj->bhwi", np.linalg.inv(forth), ops.concatenate([light, tone], axis=-1))
    return ops.clip(ops.round(planes[:, :height, :width]), 0, 255)


def _halved(planes: Any) -> Any:
    """Return the mean of each square of two by two pixels."""
    from keras import ops

    batch = ops.shape(planes)[0]
    height, width, channels = planes.shape[1:]
    squares = ops.reshape(planes, (batch, height // 2, 2, width // 2, 2, channels))
    return ops.mean(squares, axis=(2, 4))


def _quantised(planes: Any, table: tuple[tuple[int, ...], ...], quality: Any) -> Any:
    """Round the cosine transform of each 8x8 block to multiples of the table's steps."""
    from keras import ops

    batch = ops.shape(planes)[0]
    height, width, channels = planes.shape[1:]
    quality = ops.clip(quality, 1, 100)
    scale = ops.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = ops.floor((np.array(table, np.float32).reshape(1, 64) * scale[:, None] + 50) / 100)
    steps = ops.clip(steps, 1, 255)[:, None]
    transform = _cosine_transform()
    blocks = ops.reshape(planes, (batch, height // 8, 8, width // 8, 8, channels))
    blocks = ops.reshape(ops.transpose(blocks, (0, 1, 3, 5, 2, 4)), (batch, -1, 64))
    blocks = ops.round(ops.matmul(blocks, transform.T) / steps) * steps
    blocks = ops.reshape(ops.matmul(blocks, transform), (batch, height // 8, width // 8, channels, 8, 8))
    return ops.reshape(ops.transpose(blocks, (0, 1, 4, 2, 5, 3)), (batch, height, width, channels))


def _cosine_transform() -> np.ndarray:
    """Return the orthonormal cosine transform (64, 64) of a block of 8x8, row by row."""
    place, frequency = np.arange(8), np.arange(8)[:, None]
    cosines = np.cos((2 * place + 1) * frequency * np.pi / 16) * np.sqrt(np.where(frequency, 2, 1) / 8)
    return np.asarray(np.kron(cosines, cosines), np.float32)
