"""Makes the built-in demo set: crops of photographs against pictures drawn from a generative model.

The photographs ship inside the wheels of scikit-image and scikit-learn, so nothing is downloaded. The model
(`demo_generator.py`) is trained here, on crops of the training regions only. See `tuner/sources/DEMO.md` for
the photographs' sources and licences and for how fair the task is.

    python scripts/make_demo_set.py
"""

from __future__ import annotations

import argparse
import io
import lzma
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage
import sklearn
import tensorflow as tf
from demo_generator import SIDE, FlowModel, Pictures
from PIL import Image
from scipy.spatial.distance import cdist

SIZE_LIMIT = 4 * 1024 * 1024
"""The largest the packed set may be, in bytes."""

COUNTS = {"train": 3200, "test": 800}
"""Pictures of each class in each split."""

REAL_CANDIDATES = {"train": 12000, "test": 4400}
"""Crops of photographs cut, of which those in focus that match best are kept."""

FAKE_CANDIDATES = {"train": 11000, "test": 4400}
"""Pictures drawn from the model, of which the best matching ones are kept."""

POOL = 30000
"""Crops of the training regions that the model learns from."""

SPREAD = 2200
"""As many of them are cut at places that differ, so that every part of a photograph is among them."""

SCALES = {1.0: 0.3, 1.5: 0.25, 2.0: 0.2, 3.0: 0.15, 4.0: 0.1}
"""How far a photograph is scaled down before it is cropped, and how often."""

GAP = 16
"""Columns of a photograph, between its training and its test region, that no crop uses."""

MIN_CONTRAST = 10.0
"""Least standard deviation of the grey levels; below it a crop is blank sky or blurred background."""

SET_CONTRAST = 16.0
"""The same for what goes into the set, of both classes."""

SET_DETAIL = 50.0
"""Least `detail` of a photograph's crop in the set: crops out of focus could be of either class."""

JPEG_QUALITY = 72
"""The same for both classes, and the same tables: nothing but the pixels tells them apart."""


@dataclass(frozen=True)
class Photo:
    """A photograph and how it is divided between the splits.

    Attributes:
        package: Package whose wheel holds it.
        path: File inside the package.
        test: First and last column of the test region, as fractions of the width; one of them is an edge.
    """

    package: str
    path: str
    test: tuple[float, float]


PHOTOS = (
    Photo("skimage", "data/astronaut.png", (0.70, 1.0)),
    Photo("skimage", "data/chelsea.png", (0.66, 1.0)),
    Photo("skimage", "data/coffee.png", (0.72, 1.0)),
    Photo("skimage", "data/rocket.jpg", (0.0, 0.28)),
    Photo("sklearn", "datasets/images/china.jpg", (0.0, 0.30)),
    Photo("sklearn", "datasets/images/flower.jpg", (0.60, 1.0)),
)
_ROOTS = {"skimage": Path(skimage.__file__).parent, "sklearn": Path(sklearn.__file__).parent}

Statistics = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Region = dict[float, Pictures]
"""One part of a photograph at each scale."""


def load_region(photo: Photo, split: str) -> Region:
    """Cuts a split's part out of a photograph and scales it down.

    It is cut before it is scaled, so that no pixel of one split is averaged into the other.

    Args:
        photo: The photograph.
        split: `train` or `test`.

    Returns:
        The part at every scale.
    """
    with Image.open(_ROOTS[photo.package] / photo.path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    left, right = round(photo.test[0] * width), round(photo.test[1] * width)
    if split == "train":
        left, right = (0, left - GAP) if left > 0 else (right + GAP, width)
    part = image.crop((left, 0, right, height))
    sizes = {scale: (round(part.width / scale), round(height / scale)) for scale in SCALES}
    return {scale: np.asarray(part.resize(size, Image.Resampling.LANCZOS)) for scale, size in sizes.items()}


def contrast(pictures: Pictures) -> Statistics:
    """The standard deviation of the grey levels of each picture."""
    grey = pictures.astype(np.float64).mean(axis=-1)
    return np.asarray(grey.std(axis=(1, 2)))


def detail(pictures: Pictures) -> Statistics:
    """The sharpest step between neighbouring grey levels in each picture, but for the top 2 %."""
    grey = pictures.astype(np.float64).mean(axis=-1)
    steps = [np.percentile(np.abs(np.diff(grey, axis=axis)), 98, axis=(1, 2)) for axis in (1, 2)]
    return np.asarray(np.maximum(*steps))


def cut_crops(region: Region, count: int, grid: int, rng: np.random.Generator) -> Pictures:
    """Draws crops at random scales and places, half of them mirrored.

    Args:
        region: Where to cut.
        count: How many.
        grid: Corners lie on multiples of this. Above one, no place is used twice, mirrored or not.
        rng: Draws the crops.

    Returns:
        The crops, none of them near-constant.
    """
    crops: list[Pictures] = []
    seen: set[tuple[float, int, int]] = set()
    scales, odds = list(SCALES), list(SCALES.values())
    while len(crops) < count:
        scale = scales[rng.choice(len(scales), p=odds)]
        image = region[scale]
        top, left = (int(rng.integers(0, (side - SIDE) // grid + 1)) * grid for side in image.shape[:2])
        crop = image[top : top + SIDE, left : left + SIDE]
        if (grid > 1 and (scale, top, left) in seen) or contrast(crop[None])[0] < MIN_CONTRAST:
            continue
        seen.add((scale, top, left))
        crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return np.stack(crops)


def cut_from_all(split: str, count: int, grid: int, rng: np.random.Generator) -> Pictures:
    """Draws the same number of crops, give or take one, from every photograph."""
    shares = [count // len(PHOTOS) + (index < count % len(PHOTOS)) for index in range(len(PHOTOS))]
    parts = [
        cut_crops(load_region(photo, split), n, grid, rng) for photo, n in zip(PHOTOS, shares, strict=True)
    ]
    return np.asarray(rng.permutation(np.concatenate(parts)))


def encode(picture: Pictures) -> bytes:
    """Writes one picture as a baseline JPEG with the standard tables and 4:2:0 subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0", optimize=False)
    return buffer.getvalue()


def nuisances(pictures: Pictures) -> Statistics:
    """What must not tell the classes apart: file size, mean colour and contrast."""
    sizes = np.array([[len(encode(picture))] for picture in pictures], dtype=np.float64)
    colours = pictures.astype(np.float64).mean(axis=(1, 2))
    return np.concatenate([sizes, colours, contrast(pictures)[:, None]], axis=1)


def match(first: Statistics, second: Statistics, count: int) -> tuple[Indices, Indices]:
    """Pairs rows of two tables so that paired rows are alike: the closest two that are free, again and again.

    It is nearest available pair matching (Rosenbaum 1989, "Optimal Matching for Observational Studies",
    doi:10.1080/01621459.1989.10478868, section 1) on the Mahalanobis distance plus a weighted Euclidean
    one: a soft picture makes a small file, so the size needs the most weight. Where many more rows than
    `count` are at hand, it makes closer pairs than an optimal assignment of all, of which most are dropped.

    Args:
        first: Statistics of some pictures.
        second: Statistics of others.
        count: Pairs to make, at most as many as either table has rows.

    Returns:
        The pairs' rows in `first` and in `second`, none twice.
    """
    whiten = np.linalg.cholesky(np.linalg.inv(np.cov(first, rowvar=False)))
    weights = np.array([2.5, 1.0, 1.0, 1.0, 0.3]) / first.std(axis=0)
    left, right = (np.concatenate([rows @ whiten, rows * weights], axis=1) for rows in (first, second))
    closest = np.argsort(cdist(left, right, "sqeuclidean").astype(np.float32), axis=None)
    free_first, free_second = np.ones(len(first), bool), np.ones(len(second), bool)
    pairs: list[tuple[int, int]] = []
    for place in closest:
        row, column = divmod(int(place), len(second))
        if free_first[row] and free_second[column]:
            free_first[row] = free_second[column] = False
            pairs.append((row, column))
            if len(pairs) == count:
                break
    rows, columns = np.array(pairs).T
    return rows, columns


def write_zip(output: Path, files: dict[str, list[bytes]]) -> int:
    """Writes the set with fixed dates, so that the same pictures give the same bytes.

    A zip packs its entries one by one, and most of a small JPEG is the same header as in all others; so the
    zip only stores them, and is packed as a whole with xz.

    Args:
        output: The packed zip. Nothing is written when it is over the limit.
        files: JPEG files by folder.

    Returns:
        Its size in bytes.
    """
    contained = io.BytesIO()
    with zipfile.ZipFile(contained, "w", zipfile.ZIP_STORED) as archive:
        for folder, contents in files.items():
            for number, content in enumerate(contents):
                entry = zipfile.ZipInfo(f"{folder}/{number:04d}.jpg", (2020, 1, 1, 0, 0, 0))
                archive.writestr(entry, content)
    packed = lzma.compress(contained.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    if len(packed) > SIZE_LIMIT:
        raise SystemExit(f"{output} would take {len(packed)} bytes, over the limit of {SIZE_LIMIT}")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(packed)
    return len(packed)


def train_model(seed: int, weights: Path | None) -> FlowModel:
    """Trains the model on crops of the training regions, or reads the weights kept of it."""
    crop_rng, batch_rng = np.random.default_rng(seed).spawn(2)
    spread = cut_from_all("train", SPREAD, 4, crop_rng)
    more = cut_from_all("train", POOL - SPREAD, 1, batch_rng)
    model = FlowModel(seed)
    model.fit_or_load(np.concatenate([spread, more]), batch_rng, weights)
    return model


def make_split(
    split: str, model: FlowModel, rng: np.random.Generator, like: Statistics | None
) -> tuple[Pictures, Pictures]:
    """Makes both classes of a split, picked so that file size, colour and contrast agree.

    Args:
        split: `train` or `test`.
        model: Draws the generated pictures.
        rng: Draws the crops and the samples.
        like: Statistics of the other split's photographs, which this one's are picked to resemble too.

    Returns:
        The photographs' crops and the generated pictures.
    """
    print(f"making the {split} split", flush=True)
    real = cut_from_all(split, REAL_CANDIDATES[split], 4, rng)
    real = real[(contrast(real) >= SET_CONTRAST) & (detail(real) >= SET_DETAIL)][: COUNTS[split] * 5 // 2]
    if like is not None:
        target = rng.permutation(like)[: COUNTS[split] * 3 // 2]
        real = real[match(target, nuisances(real), len(target))[1]]
    fake = model.sample(FAKE_CANDIDATES[split], rng)
    fake = fake[contrast(fake) >= SET_CONTRAST]
    print(f"  matching {len(real)} crops with {len(fake)} generated pictures", flush=True)
    real_kept, fake_kept = match(nuisances(real), nuisances(fake), COUNTS[split])
    # Shuffled apart, so that a number in one class says nothing about the same number in the other.
    return real[rng.permutation(real_kept)], fake[rng.permutation(fake_kept)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the set.

    Args:
        arguments: The command line; by default that of the process.
    """
    parser = argparse.ArgumentParser(description="Make the built-in demo set.")
    parser.add_argument(
        "--output", type=Path, default=Path("tuner/sources/demo.zip.xz"), help="the file to write"
    )
    parser.add_argument("--seed", type=int, default=7, help="seeds the crops, the training and the samples")
    parser.add_argument("--weights", type=Path, help="keep the trained model here (.weights.h5), or reuse it")
    options = parser.parse_args(arguments)
    # One thread adds numbers up in one order, so that a seed gives the same set again.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    started = time.monotonic()
    model = train_model(options.seed, options.weights)
    rng = np.random.default_rng(options.seed + 1)
    files: dict[str, list[bytes]] = {}
    like: Statistics | None = None
    for split in COUNTS:
        real, fake = make_split(split, model, rng, like)
        like = nuisances(real)
        files[f"{split}/REAL"] = [encode(picture) for picture in real]
        files[f"{split}/FAKE"] = [encode(picture) for picture in fake]
    size = write_zip(options.output, files)
    print(f"{options.output}: {size} bytes, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
