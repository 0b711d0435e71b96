"""Files below a folder or in an archive, sorted into images, possible tables of labels, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from tuner.sources.listing import Reader


class File(NamedTuple):
    """A file of a source."""

    path: str
    """In printable form, with `/`, relative to the source."""
    size: int
    """In bytes."""
    handle: Any
    """Argument of the source's reader."""

    @property
    def folder(self) -> str:
        """Path of the folder that holds it; "" is the top of the source."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Name without the folder."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """Name without the folder and the last suffix."""
        return self.name.rpartition(".")[0] or self.name


@dataclass(frozen=True)
class Contents:
    """Files of a folder or an archive."""

    images: list[File]
    open_reader: Callable[[], AbstractContextManager[Reader]]
    """Opens the source for one thread and yields its reader, for images and tables alike."""
    tables: list[File] = field(default_factory=list)
    """Files that may be tables of labels, by their suffix."""
    passed_over: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Files that are no images: (folder, suffix in lower case, "" without one) -> number of them."""
    empty_folders: tuple[str, ...] = ()
    """Folders without any file in them or below."""
    notes: tuple[str, ...] = ()
    """Sentences for the user on what was left out while the files were listed."""

    def without(self, patterns: tuple[str, ...]) -> Contents:
        """Return the contents without the files whose path, name or folder matches one of the patterns."""
        if not patterns:
            return self
        kept = [file for file in self.images if not _matches(file.path, patterns)]
        tables = [file for file in self.tables if not _matches(file.path, patterns)]
        left_out = len(self.images) - len(kept)
        passed_over = {
            (folder, suffix): count
            for (folder, suffix), count in self.passed_over.items()
            if not _matches(f"{folder}/.{suffix}", patterns)
        }
        note = f"{left_out:,} images left out by --exclude {' --exclude '.join(patterns)}"
        return replace(self, images=kept, tables=tables, passed_over=passed_over, notes=(*self.notes, note))


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a pattern matches the path, the name of the file or one of its folders."""
    parts = path.split("/")
    folders = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    return any(
        fnmatchcase(candidate, pattern.rstrip("/"))
        for pattern in patterns
        for candidate in (*folders, *parts)
    )
