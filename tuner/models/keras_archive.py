"""The archive that a .keras file is, examined before Keras opens it."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py

WEIGHTS = "model.weights.h5"
"""Name of the weights in the archive."""
FREE = 32 * 2**20
"""Bytes that an archive or its weights may always take in memory."""
EXPANSION = 100
"""As many times their size in the file they may take beyond that. Weights of a model hardly compress."""


def check_archive(path: Path) -> None:
    """Check that a file is an archive with weights in HDF5 that stays within itself and within bounds.

    HDF5 can refer to other files on the disk, and declare far more than it holds.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is something else; the text says what in it is not allowed.
    """
    if not path.is_file():
        raise ValueError("it is no file.")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path.stat().st_size)
            weights = archive.read(WEIGHTS)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise ValueError(f"it is no whole zip archive: {error}.") from None
    except RuntimeError as error:  # of a password
        raise ValueError(f"it holds {error}.") from None
    except KeyError:
        raise ValueError(f"it holds no weights in HDF5, '{WEIGHTS}'.") from None
    _check_weights(weights)


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    for name in names:
        if _leaves(name):
            raise ValueError(f"it holds a file whose path leaves the archive: '{name}'.")
        if names.count(name) > 1:
            raise ValueError(f"it holds two files of the name '{name}'.")
    _check_size("it", sum(member.file_size for member in members), size)


def _leaves(name: str) -> bool:
    windows = PureWindowsPath(name)
    return bool(windows.drive or windows.root or PurePosixPath(name).root or ".." in windows.parts)


def _check_size(what: str, unpacked: int, packed: int) -> None:
    if unpacked > max(FREE, EXPANSION * packed):
        raise ValueError(
            f"{what} would take {unpacked / 2**20:,.0f} MiB unpacked, and has {packed / 2**20:,.2f} MiB."
        )


def _check_weights(contents: bytes) -> None:
    import h5py

    try:
        with h5py.File(io.BytesIO(contents), "r") as file:
            declared = sum(
                math.prod(each.shape or ()) * each.dtype.itemsize for each in _datasets(file, set())
            )
    except ValueError:
        raise
    except Exception as error:  # h5py raises any kind on a damaged file
        raise ValueError(f"its weights are no whole HDF5 file: {error}.") from None
    _check_size("its weights", declared, len(contents))


def _datasets(group: h5py.Group, seen: set[int]) -> Iterator[h5py.Dataset]:
    """Yield the data sets in a group, each once.

    Raises:
        ValueError: something in it refers to another place.
    """
    import h5py

    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise ValueError(f"its weights refer to another file on the disk: '{link.filename}'.")
        if isinstance(link, h5py.SoftLink):
            raise ValueError(f"its weights hold a link, '{group.name}/{name}' to '{link.path}'.")
        found = group[name]
        address = h5py.h5o.get_info(found.id).addr
        if address in seen:
            continue
        seen.add(address)
        if isinstance(found, h5py.Group):
            yield from _datasets(found, seen)
        elif isinstance(found, h5py.Dataset):
            if found.external or found.is_virtual:
                sources = found.external or found.virtual_sources()
                files = [getattr(source, "file_name", source[0]) for source in sources]
                raise ValueError(
                    f"its weights refer to another file on the disk (HDF5 external storage): '{files[0]}'."
                )
            yield found
