"""Arrays of images and labels in files."""

from pathlib import Path
from typing import Any

import numpy as np

from tuner.sources.arrays import NpzSource

X = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
"""Different images of 8x8 pixels, of all values from 0 to 255."""
Y = np.array([0, 1, 0, 1])


def source(folder: Path, **arrays: Any) -> NpzSource:
    np.savez(folder / "d.npz", **arrays)
    return NpzSource(folder / "d.npz")


def pixels(npz: NpzSource) -> np.ndarray:
    listing = npz.listing()
    with listing.open_reader() as read:
        return np.stack([np.asarray(read(handle)) for handle in listing.handles])


def save(folder: Path, **arrays: np.ndarray) -> Path:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder
