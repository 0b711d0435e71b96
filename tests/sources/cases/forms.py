"""The words of the table of cases: files of a data set, the way they are packed, and the expected outcome."""

import io
import itertools
import re
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Files = dict[str, bytes]
Pack = Callable[[Path, Files], Path]
Counts = Mapping[str, int]

NONE: Counts = MappingProxyType({})

_seeds = itertools.count(1_000_000)


class Reads(NamedTuple):
    """The classes with their number of images in each official split; `train` has those without a split."""

    train: Counts
    validation: Counts = NONE
    test: Counts = NONE
    notes: tuple[str, ...] | None = ()
    """Words of the notes in any letter case; None where nothing is left out."""
    groups: tuple[str, ...] = ()
    skipped: int = 0
    flat: bool = False
    """Whether the files hold so few levels that images stay dark."""


class Refuses:
    """One line that names all of these, in any letter case."""

    def __init__(self, *words: str) -> None:
        self.words = words


@dataclass(frozen=True)
class Case:
    """A data set in a form of the field."""

    name: str
    files: Callable[[], Files]
    outcome: Reads | Refuses
    options: Mapping[str, object] = field(default_factory=dict)
    pack: Pack = field(default_factory=lambda: in_folder)


def noise(*shape: int) -> npt.NDArray[np.uint8]:
    """Return pixels that no other image has, with all of 0..255 among them."""
    pixels = np.random.default_rng(next(_seeds)).integers(0, 256, shape or (8, 8, 3), np.uint8)
    pixels.flat[0], pixels.flat[-1] = 0, 255
    return pixels


def image(suffix: str = "png", mode: str = "RGB", size: tuple[int, int] = (8, 8), **options: object) -> bytes:
    """Return an image file of coarse noise; `size` is (width, height)."""
    formats = {"jpg": "JPEG", "tif": "TIFF", "tga": "TGA", "jp2": "JPEG2000", "pgm": "PPM"}
    picture = Image.fromarray(noise()).resize(size, Image.Resampling.NEAREST).convert(mode)
    return saved(picture, formats.get(suffix, suffix.upper()), **options)


def saved(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def images(folders: str, count: int = 6, name: str = "img_{}.png") -> Files:
    """Return `count` images in each folder; `{a,b}/{c,d}` are four folders, `name` holds the index."""
    return {
        f"{each}/{name.format(k)}".lstrip("/"): image() for each in expanded(folders) for k in range(count)
    }


def texts(folders: str, count: int = 1, name: str = "notes_{}.txt") -> Files:
    """Return files that are no images."""
    return {
        f"{each}/{name.format(k)}".lstrip("/"): b"text" for each in expanded(folders) for k in range(count)
    }


def expanded(pattern: str) -> list[str]:
    parts = [part.split(",") for part in re.split(r"[{}]", pattern)]
    return ["".join(chosen) for chosen in itertools.product(*parts)]


def each(names: str, count: int = 6) -> dict[str, int]:
    """Return the same number of images for each of the comma-separated classes."""
    return dict.fromkeys(names.split(","), count)


def table(*rows: str) -> bytes:
    return "\n".join((*rows, "")).encode()


def labelled(names: list[str], classes: str, head: str, row: str = "{name},{label}") -> bytes:
    """Return a table that gives the classes to the names in turn."""
    turns = itertools.cycle(classes.split(","))
    return table(
        head, *(row.format(name=name, label=label) for name, label in zip(names, turns, strict=False))
    )


def numbered(count: int, form: str) -> list[str]:
    return [form.format(k) for k in range(count)]


def in_folder(root: Path, files: Files) -> Path:
    """Write the files; a path that ends in `/` is an empty folder."""
    for path, data in files.items():
        target = root / "set" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            target.mkdir()
        else:
            target.write_bytes(data)
    return root / "set"


def file_in(name: str) -> Pack:
    """Give one of the files, or a path below it, as the data set."""
    return lambda root, files: in_folder(root, files) / name


def zipped(name: str = "set.zip", method: int = zipfile.ZIP_STORED, inside: str = "") -> Pack:
    return lambda root, files: _written(root / name, zip_bytes(files, method)) / inside


def tarred(name: str = "set.tar.gz", mode: str = "w:gz", inside: str = "") -> Pack:
    return lambda root, files: _written(root / name, tar_bytes(files, mode)) / inside


def raw(name: str) -> Pack:
    """Write the only file under this name."""
    return lambda root, files: _written(root / name, next(iter(files.values())))


def zip_bytes(files: Files, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tar_bytes(files: Files, mode: str = "w", extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in extra:
            archive.addfile(member)
    return buffer.getvalue()


def npz(**arrays: Any) -> Files:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return {"arrays.npz": buffer.getvalue()}


def npy(array: npt.ArrayLike) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
