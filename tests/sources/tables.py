"""Images and tables of labels beside them."""

from pathlib import Path

from tuner.data_options import SPLITS, DataOptions
from tuner.sources.folders import FolderSource
from tuner.sources.listing import Listing

from .pictures import png, write_folder

CAT_AND_DOG = ("cat", "dog")
NAMES = [f"{number:03d}.png" for number in range(10)]


def flat(folder: str, *names: str, first_seed: int = 0) -> dict[str, bytes]:
    """Return path -> bytes of an image of each name in a folder, "" for the top."""
    prefix = f"{folder}/" if folder else ""
    return {f"{prefix}{name}": png(first_seed + seed) for seed, name in enumerate(names)}


def csv(header: str, *rows: str, separator: str = ",") -> bytes:
    return "\n".join(line.replace(",", separator) for line in (header, *rows)).encode() + b"\n"


def labelled(names: list[str], labels: tuple[str, ...] = CAT_AND_DOG) -> list[str]:
    """Return a row `name,label` for each name, the labels by turns."""
    return [f"{name},{labels[index % len(labels)]}" for index, name in enumerate(names)]


def listing(root: Path, files: dict[str, bytes], **options: object) -> Listing:
    return FolderSource(write_folder(root, files)).listing(DataOptions(**options))


def classes(found: Listing) -> dict[str, str]:
    """Return path -> class."""
    return {path: found.class_names[label] for path, label in zip(found.paths, found.labels, strict=True)}


def splits(found: Listing) -> dict[str, str | None]:
    """Return path -> split."""
    return {path: SPLITS[i] if i >= 0 else None for path, i in zip(found.paths, found.splits, strict=True)}
