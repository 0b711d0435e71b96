"""Tiny data sets, made on the spot."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 8


def picture(seed: int, size: tuple[int, int] = (SIDE, SIDE), mode: str = "RGB") -> Image.Image:
    """Return random pixels; `size` is (width, height). Different seeds give different pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png(seed: int) -> bytes:
    return encoded(picture(seed))


def tree(*folders: str, count: int = 10, first_seed: int = 0) -> dict[str, bytes]:
    """Return path -> bytes of `count` different images in each of the folders."""
    return {
        f"{folder}/{index:03d}.png": png(first_seed + position * count + index)
        for position, folder in enumerate(folders)
        for index in range(count)
    }


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return root


def write_zip(
    path: Path, files: dict[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = 0
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, data)
    return path


def photograph(seed: int, side: int = 32) -> Image.Image:
    """Return smooth random patches of colour with an outline, as a photograph has; a square."""
    patches = np.random.default_rng(seed).integers(0, 256, (side // 3, side // 3, 3), np.uint8)
    return Image.fromarray(patches).resize((side, side), Image.Resampling.BICUBIC)
