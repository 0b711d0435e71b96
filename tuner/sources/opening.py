"""From the value of `--data` to its source."""

from __future__ import annotations

import lzma
import os
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from zipfile import is_zipfile

from tuner import cache_folder
from tuner.errors import DataError, did_you_mean
from tuner.home_folder import expanded
from tuner.path_names import named_path, printable
from tuner.sources.archives import ArchiveSource, archive_at, first_bytes
from tuner.sources.arrays import NpySource, NpzSource, is_array_folder
from tuner.sources.file_kinds import suffix_of
from tuner.sources.folders import FolderSource
from tuner.sources.listing import Source
from tuner.sources.parquet import ParquetSource, holds_parquet_images
from tuner.sources.table_files import is_table
from tuner.sources.table_source import TableSource

DEMO = "demo"
DEMO_FILE = "demo.zip.xz"
_ALLOWED = (
    "Allowed: a folder, an archive (.zip, .tar, .tar.gz, ...), a table of labels (.csv, .tsv, .json, .jsonl, "
    ".parquet), arrays (.npz, .npy), or 'demo'"
)
_UNPACK = "Unpack it with {} and give the folder"
_SAVE = "Save its images and labels as arrays x and y of a .npz, with numpy.savez"
_SIGNATURES = {b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"(\xb5/\xfd": "zst", b"\x89HDF": "h5"}
_REMEDIES = {
    "7z": _UNPACK.format("7z x"),
    "rar": _UNPACK.format("unrar x"),
    "zst": _UNPACK.format("tar --zstd -xf"),
    **dict.fromkeys(("h5", "hdf5", "mat", "tfrecord", "tfrecords", "pkl", "pickle", "pt"), _SAVE),
}


def open_source(reference: str) -> Source:
    """Return the source of a reference, without reading it.

    `demo` is the built-in data set, even where a folder of that name exists: `./demo` is the folder.

    Raises:
        DataError: no such file or folder, or a file of another kind.
    """
    if reference == DEMO:
        return _demo()
    if not reference or "\0" in reference:
        raise DataError(f"'{printable(reference)}' names no data set. {_ALLOWED}. Give --data.")
    # Not resolved: links stay as the user named them.
    path = Path(os.path.abspath(expanded(named_path(reference))))  # noqa: PTH100
    file = next(place for place in (path, *path.parents) if place.exists())
    if file.is_dir():
        if file != path:
            raise DataError(_missing(path, reference))
        return _folder(path)
    first, suffix = first_bytes(file), suffix_of(file.name)
    kind = next((kind for signature, kind in _SIGNATURES.items() if first.startswith(signature)), suffix)
    if kind not in _REMEDIES:
        if path.is_file() and (source := _file(path, suffix)):
            return source
        if archive := archive_at(path):
            return archive
    remedy = _REMEDIES.get(kind, "Give a folder of images, or pack it as a .zip")
    raise DataError(f"{printable(str(file))}: is no folder, archive or file of arrays. {_ALLOWED}. {remedy}.")


def _folder(path: Path) -> Source:
    if is_array_folder(path):
        return NpySource(path)
    return ParquetSource(path) if holds_parquet_images(path) else FolderSource(path)


def _file(path: Path, suffix: str) -> Source | None:
    """Return the source of a file of arrays or a table, by its suffix; None for another file."""
    if suffix in ("npz", "npy"):
        return NpzSource(path) if suffix == "npz" else NpySource(path)
    if is_table(path.name):
        return ParquetSource(path) if holds_parquet_images(path) else TableSource(path)
    return None


class DemoSource(ArchiveSource):
    """The built-in data set, which users know by its name and not by its path."""

    @property
    def location(self) -> str:
        return DEMO


def _demo() -> Source:
    """The built-in zip, unpacked once from its package.

    It ships inside xz: eight thousand small JPEGs are mostly equal headers, which a zip packs one by one.
    """
    try:
        packed = (files("tuner.sources") / DEMO_FILE).read_bytes()
        path = (
            cache_folder.cache_root() / f"{DEMO}-{blake2b(packed, digest_size=8).hexdigest()}" / f"{DEMO}.zip"
        )
        if not is_zipfile(path):
            cache_folder.keep_file(path, lzma.decompress(packed))
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
