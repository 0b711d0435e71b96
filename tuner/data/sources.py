"""From the value of `--data` to its source."""

from __future__ import annotations

import lzma
import os
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from zipfile import is_zipfile

from tuner.data import cache
from tuner.data.folders import FolderSource
from tuner.data.listing import Source, printable
from tuner.data.npz import NpzSource
from tuner.data.zip import ZipSource
from tuner.errors import DataError, did_you_mean
from tuner.path_names import named_path

DEMO = "demo"
DEMO_FILE = "demo.zip.xz"
_ALLOWED = "Allowed: a folder, a .zip, a .npz, or 'demo'"


def open_source(reference: str) -> Source:
    """Return the source of a reference, without reading it.

    `demo` is the built-in data set, even where a folder of that name exists: `./demo` is the folder.

    Raises:
        DataError: no such file or folder, or a file that is neither .zip nor .npz.
    """
    if reference == DEMO:
        return _demo()
    if not reference or "\0" in reference:
        raise DataError(f"'{printable(reference)}' names no data set. {_ALLOWED}. Give --data.")
    path = Path(os.path.abspath(Path(named_path(reference)).expanduser()))  # noqa: PTH100 - keeps links as the user named them
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise DataError(_missing(path, reference))
    if path.suffix.lower() == ".npz":
        return NpzSource(path)
    if path.suffix.lower() == ".zip":
        return ZipSource(path)
    raise DataError(
        f"{printable(str(path))}: is neither a folder nor a .zip or .npz file. {_ALLOWED}. "
        f"Unpack it and give the folder."
    )


class DemoSource(ZipSource):
    """The built-in data set, which users know by its name and not by its path."""

    @property
    def location(self) -> str:
        return DEMO


def _demo() -> Source:
    """The built-in zip, unpacked once from its package.

    It ships inside xz: eight thousand small JPEGs are mostly equal headers, which a zip packs one by one.
    """
    try:
        packed = (files("tuner.data") / DEMO_FILE).read_bytes()
        path = cache.cache_root() / f"{DEMO}-{blake2b(packed, digest_size=8).hexdigest()}" / f"{DEMO}.zip"
        if not is_zipfile(path):
            cache.keep_file(path, lzma.decompress(packed))
    except (OSError, lzma.LZMAError):
        raise DataError(
            f"'{DEMO}': this installation lacks the built-in data set. {_ALLOWED}. "
            f"Install kt-search again, or give your own data."
        ) from None
    return DemoSource(path)


def _missing(path: Path, reference: str) -> str:
    """Return the message for a missing path, with its missing part and the nearest name."""
    parent = path.parent
    while not parent.is_dir():
        path, parent = parent, parent.parent
    try:
        known = sorted(entry.name for entry in parent.iterdir() if not entry.name.startswith("."))
    except OSError:
        known = []
    # Only a bare word may mean `demo`.
    known += [DEMO] if reference == path.name else []
    hint = did_you_mean(path.name, map(printable, known), cutoff=0.5) or f" {_ALLOWED}."
    return (
        f"{printable(reference)}: no '{printable(path.name)}' in {printable(str(parent))}.{hint} "
        f"Correct the path of the data set."
    )
