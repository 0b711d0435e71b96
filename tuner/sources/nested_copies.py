"""Copies of a data set nested in it, as in some data sets on Kaggle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import numpy as np

from tuner.sources.contents import File
from tuner.sources.listing import Encoded, Reader, UnreadableError
from tuner.sources.split_names import split_of

Folders = dict[str, dict[str, File]]
"""Name of each folder -> path below it -> file."""

_COMPARED_FILES = 32


def without_nested_copies(
    files: list[File], open_reader: Callable[[], AbstractContextManager[Reader]]
) -> list[File]:
    """Leave out the files of folders that are copies of the folders beside or around them.

    Examples: `x/train`, `x/test` with the copy `x/x/train`, `x/x/test`; `faces/real`, `faces/fake` with the
    copy `more/faces/real`, `more/faces/fake`. As a class of its own, a copy would make scores meaningless.
    A copy holds two folders or more, and files of the same relative paths and sizes; some of them are
    compared byte by byte. Of two copies the less deep one stays, then the first by name.
    """
    folders, _ = _unwrap(_folders((file.path, file) for file in files))
    unwrapped = {name: _unwrap(_folders(below.items())) for name, below in folders.items()}
    inner = {name: found for name, (found, _) in unwrapped.items()}
    copies: set[str] = set()
    for name in sorted(folders, key=lambda name: (unwrapped[name][1], name), reverse=True):
        others = folders.keys() - copies - {name}
        originals = [*(inner[other] for other in others), {other: folders[other] for other in others}]
        if split_of(name):  # `valid` with the images of `test` is a flaw of the data, for the audit to show
            continue
        if len(inner[name]) > 1 and any(_are_equal(inner[name], each, open_reader) for each in originals):
            copies.add(name)
    left_out = {file.path for name in copies for file in folders[name].values()}
    return [file for file in files if file.path not in left_out]


def _folders(files: Iterable[tuple[str, File]]) -> Folders:
    """Group files by the first folder of their paths, without files in no folder."""
    found: Folders = {}
    for path, file in files:
        name, slash, below = path.partition("/")
        if slash:
            found.setdefault(name, {})[below] = file
    return found


def _unwrap(folders: Folders) -> tuple[Folders, int]:
    """Go down while there is one folder only and it has folders of its own; return these and their depth."""
    depth = 0
    while len(folders) == 1:
        (only,) = folders.values()
        if not (below := _folders(only.items())):
            break
        folders, depth = below, depth + 1
    return folders, depth


def _are_equal(
    one: Folders, other: Folders, open_reader: Callable[[], AbstractContextManager[Reader]]
) -> bool:
    first, second = (
        {(name, path): file for name, below in folders.items() for path, file in below.items()}
        for folders in (one, other)
    )
    if {key: file.size for key, file in first.items()} != {key: file.size for key, file in second.items()}:
        return False
    keys = list(first)
    compared = [keys[place] for place in np.linspace(0, len(keys) - 1, _COMPARED_FILES).astype(int)]
    with open_reader() as read:
        return all(_read(read, first[key]) == _read(read, second[key]) for key in compared)


def _read(read: Reader, file: File) -> Encoded | None:
    try:
        return read(file.handle)
    except UnreadableError:
        return None
