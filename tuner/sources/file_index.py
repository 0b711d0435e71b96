"""From the names in a table to image files."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from tuner.sources.contents import File
from tuner.sources.file_kinds import IMAGE_SUFFIXES, suffix_of

AMBIGUOUS = -1
"""In place of a file: several have the name."""

Parts = tuple[str, ...]


class Match(NamedTuple):
    """A file that a name means."""

    place: int
    """Of the file, or AMBIGUOUS."""
    strength: tuple[int, int]
    """Higher for names that tell more: with suffix 2, without 1, as a number 0; then equal parts."""


class FileIndex:
    """Image files by their names with and without suffix, and by their numbers.

    Letter case, the kind of slash and the normal form of Unicode make no difference.
    """

    def __init__(self, files: Sequence[File]) -> None:
        folders = {folder: _parts(folder) for folder in {file.folder for file in files}}
        self._folders = [folders[file.folder] for file in files]
        # In order of strength: numbers lose their leading zeros in spreadsheets.
        self._by: tuple[dict[str, list[int]], ...] = ({}, {}, {})
        for index, file in enumerate(files):
            name = _normal(file.name)
            for found, key in zip(self._by, (_number(_stem(name)), _stem(name), name), strict=True):
                if key:
                    found.setdefault(key, []).append(index)

    def find(self, name: str, hints: Sequence[str] = ()) -> Match | None:
        """Return the file that a name means; None where there is none.

        Args:
            name: A path, a file name or an id. Of several files with its last part the one counts whose path
                has the longest end in common with it.
            hints: Names of folders that tell files apart where the paths do not.
        """
        *folders, last = _parts(name) or ("",)
        stem = _stem(last) if suffix_of(last) in IMAGE_SUFFIXES else last
        for strength, key in ((2, last), (1, stem), (0, _number(stem))):
            if indices := self._by[strength].get(key):
                equal = [_equal_end(self._folders[index], folders) for index in indices]
                best = [index for index, length in zip(indices, equal, strict=True) if length == max(equal)]
                return Match(self._only(best, hints), (strength, max(equal)))
        return None

    def _only(self, indices: list[int], hints: Sequence[str]) -> int:
        if len(indices) == 1:
            return indices[0]
        for hint in filter(None, map(_normal, hints)):
            inside = [index for index in indices if hint in self._folders[index]]
            if len(inside) == 1:
                return inside[0]
        return AMBIGUOUS


def _equal_end(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the number of parts at the end that two folders have in common."""
    length = 0
    while length < min(len(one), len(other)) and one[-1 - length] == other[-1 - length]:
        length += 1
    return length


def _number(stem: str) -> str:
    """Return a number without leading zeros, "" for any other stem."""
    return stem.lstrip("0") or "0" if stem.isdecimal() else ""


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _normal(name: str) -> str:
    name = name.strip()
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def _parts(path: str) -> Parts:
    parts = _normal(path).replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", ".", ".."))
