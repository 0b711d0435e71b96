"""Near copies: training images that were saved again, resized or brightened, in another split."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from tuner.data import cache
from tuner.data.dataset import Dataset

MAX_DISTANCE = 12
"""Most differing bits, of 64, of two perceptual hashes whose images are compared by their pixels."""
MIN_CORRELATION = 0.91
"""Least correlation, -1..1, of the details of an image and its near copy."""
MIN_CONTRAST = 0.6
"""Least contrast of details, as a share of that of the other image: a copy of half the size has less."""
MAX_COMPARED = 16
"""Most images within MAX_DISTANCE of one that are compared by their pixels, the nearest first."""

_SIDE = 32  # pixels, as many as the perceptual hash uses
_FINE, _COARSE = 3, 9  # pixels a side of the means between which details lie
_SHIFT = 1  # pixel
_FLAT = 1.0  # grey levels of 255; of 2,000 images of each set measured none has so few details
_VERSION = 1  # of the kept arrays; raise it when the same images would give other near copies
_BLOCK_DISTANCES = 2**20
_BLOCK_IMAGES = 1024


def near_copies(dataset: Dataset, split: str) -> npt.NDArray[np.int64]:
    """Return the near copies of a split, each with its original, shape (m, 2).

    The originals for "test" are in train and validation, for "validation" in train. Exact copies are left
    out; of several originals the most similar one counts. The result is kept beside the decoded images.

    A perceptual hash (pHash: 64 low frequencies, above their median or not) finds candidates. Flat images
    hash alike, so the details of candidates are correlated, best of all shifts by a pixel. Details are those
    of grey images of 32 x 32 pixels: the mean of 3 x 3 pixels around each less that of 9 x 9.

    Measured, with sets of 32 x 32 and 64 x 64 pixels. Of 6,400 test images 39 are counted, 37 of them true by
    eye; none copies an image of another class, which can be no copy and which the hash alone takes for one
    1,308 times. CIFAKE images are found again when saved as JPEG of quality 50 to 90, made 0.75 to 2 times as
    large or 10 % brighter or darker (all), half as large (98 %), a pixel aside (98 %), cropped by 2 pixels
    (36 %) or by 4 (0.2 %). Images of 64 x 64 are found after 65 % to 86 % of the crops by 2. The bounds were
    chosen on these images. Elsewhere products photographed alike are mistaken too: of 341 pieces of clothing
    in a validation split, 4.

    Source: Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions (pHash); the
    bounds: docs/decisions/0016-near-copies.md.
    """
    hashes, splits = dataset.records["pixel_hash"], dataset.splits
    seen = ("train",) if split == "validation" else ("train", "validation")
    originals = np.concatenate([splits[name] for name in seen if name in splits])
    images = splits[split]
    images = images[~np.isin(hashes[images], hashes[originals])]
    bounds = f"{_VERSION} {MAX_DISTANCE} {MIN_CORRELATION} {MIN_CONTRAST} {MAX_COMPARED}".encode()
    key = blake2b(bounds + images.tobytes() + b"of" + originals.tobytes(), digest_size=8).hexdigest()
    return cache.kept_array(
        dataset.cache_dir, f"near_copies-{key}.npy", lambda: _near_copies(dataset, images, originals)
    )


def _near_copies(
    dataset: Dataset, images: npt.NDArray[np.int64], originals: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    hashes = cache.kept_array(
        dataset.cache_dir, f"perceptual_hashes-{_VERSION}.npy", lambda: _perceptual_hashes(dataset.images)
    )
    places = _candidates(hashes[images], hashes[originals])
    pairs = np.stack([images[places[:, 0]], originals[places[:, 1]]], axis=1)
    blocks = [pairs[start : start + _BLOCK_IMAGES] for start in range(0, len(pairs), _BLOCK_IMAGES)]
    details = ([_details(_thumbnails(dataset.images, side)) for side in block.T] for block in blocks)
    similar = np.concatenate([np.empty(0), *(_similarity(first, second) for first, second in details)])
    best = np.lexsort((-similar, pairs[:, 0]))
    best = best[similar[best] >= MIN_CORRELATION]
    _, first = np.unique(pairs[best, 0], return_index=True)
    return pairs[best[first]]


def _perceptual_hashes(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return the perceptual hash of each image, 64 bits as one number: (n,)."""
    from imagehash import phash
    from PIL import Image

    bits = np.empty((len(images), 64), np.bool_)
    for start in range(0, len(images), _BLOCK_IMAGES):
        block = np.arange(start, min(start + _BLOCK_IMAGES, len(images)))
        for index, pixels in zip(block, _thumbnails(images, block), strict=True):
            bits[index] = phash(Image.fromarray(pixels)).hash.ravel()
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def _candidates(hashes: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the places of hashes and of others near them, (m, 2), block by block of distances."""
    found = [np.empty((0, 2), np.int64)]
    rows_at_once = max(1, _BLOCK_DISTANCES // max(1, len(others)))
    for start in range(0, len(hashes), rows_at_once):
        distances = np.bitwise_count(hashes[start : start + rows_at_once, None] ^ others)
        rows, columns = np.nonzero(distances <= MAX_DISTANCE)
        order = np.lexsort((distances[rows, columns], rows))
        nearest = order[np.arange(len(rows)) - np.searchsorted(rows, rows) < MAX_COMPARED]
        found.append(np.stack([rows[nearest] + start, columns[nearest]], axis=1))
    return np.concatenate(found)


def _thumbnails(images: npt.NDArray[np.uint8], indices: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return grey images of _SIDE pixels a side: (m, _SIDE, _SIDE)."""
    from PIL import Image

    thumbnails = np.empty((len(indices), _SIDE, _SIDE), np.uint8)
    for place, index in enumerate(indices):
        image = Image.fromarray(images[index].squeeze(-1) if images.shape[-1] == 1 else images[index])
        thumbnails[place] = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))
    return thumbnails


def _details(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return images without their shades and their noise; zero for flat ones. Same shape."""
    from scipy.ndimage import uniform_filter

    edge = _COARSE // 2  # a shade goes on beyond it, so that a sky has no outline there
    pixels = np.pad(
        thumbnails.astype(np.float32), ((0, 0), (edge, edge), (edge, edge)), "reflect", reflect_type="odd"
    )
    fine, coarse = (uniform_filter(pixels, (0, side, side)) for side in (_FINE, _COARSE))
    return np.asarray((fine - coarse)[:, edge:-edge, edge:-edge])


def _similarity(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the correlation of the details of pairs of images, best of all shifts by a pixel: (m,).

    It is -1 where the contrasts differ too much, and where there are hardly any details.
    """
    shifts, side = range(2 * _SHIFT + 1), _SIDE - 2 * _SHIFT
    middle = first[:, _SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    contrast, best = _contrast(middle), np.full(len(first), -1, np.float32)
    for down in shifts:
        for right in shifts:
            moved = second[:, down : down + side, right : right + side]
            other = _contrast(moved)
            found = (middle * moved).mean(axis=(1, 2)) / np.maximum(contrast * other, _FLAT**2)
            least = np.maximum(_FLAT, MIN_CONTRAST * np.maximum(contrast, other))
            alike = np.minimum(contrast, other) >= least
            best = np.maximum(best, np.where(alike, found, -1))
    return best


def _contrast(details: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the root mean square of the details of each image: (m,)."""
    return np.asarray(np.sqrt((details * details).mean(axis=(1, 2))))
