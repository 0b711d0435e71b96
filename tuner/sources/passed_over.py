"""Sentences on the files and folders of a source that give no images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tuner.errors import DataError
from tuner.sources import heif
from tuner.sources.contents import Contents
from tuner.units import counted

_SHOWN = 5


def unused_notes(contents: Contents) -> tuple[str, ...]:
    """Return a sentence on the files that are no images, and one on the empty folders."""
    notes = []
    if counts := contents.passed_over:
        notes.append(f"passed over: {_shown(_by_suffix(counts), sum(counts.values()))}")
        if not heif.is_installed() and any(suffix in heif.SUFFIXES for _, suffix in counts):
            notes[0] += f" ({heif.REMEDY})"
    if empty := contents.empty_folders:
        more = f" and {len(empty) - _SHOWN:,} more" if len(empty) > _SHOWN else ""
        notes.append(f"{counted(len(empty), 'empty folder')}: {', '.join(sorted(empty)[:_SHOWN])}{more}")
    return tuple(notes)


def junk_notes(images: Mapping[str, int]) -> tuple[str, ...]:
    """Return a sentence on each folder name of systems, such as @eaDir, that images lie in."""
    return tuple(
        f"{counted(count, 'image')} in {name} left out: a system makes folders of this name"
        for name, count in sorted(images.items())
        if count
    )


def sentences(notes: Sequence[str]) -> str:
    """Return notes as a sentence to follow a message, after a space; "" without notes."""
    return f" Noted: {'; '.join(notes)}." if notes else ""


@contextmanager
def named_in_refusals(notes: Sequence[str]) -> Iterator[None]:
    """Append notes to the message of a DataError."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{error}{sentences(notes)}") from error


def _by_suffix(counts: Mapping[tuple[str, str], int]) -> list[tuple[int, str]]:
    """Return number of files and text, such as "8 .mov in REAL", of each suffix, the most frequent first."""
    totals: Counter[str] = Counter()
    folders: dict[str, set[str]] = {}
    for (folder, suffix), count in counts.items():
        # A suffix such as `jpg?size=large` or `1` may be as frequent as the files.
        name = f".{suffix}" if suffix.isalnum() and not suffix.isdecimal() and len(suffix) < 10 else ""
        totals[name] += count
        folders.setdefault(name, set()).add(folder)
    return [
        (count, f"{f'{count:,} {name}' if name else counted(count, 'file')}{_place(folders[name])}")
        for name, count in totals.most_common()
    ]


def _place(folders: set[str]) -> str:
    if len(folders) > 1:
        return f" in {len(folders):,} folders"
    (folder,) = folders
    return f" in {folder}" if folder else ""


def _shown(parts: list[tuple[int, str]], total: int) -> str:
    more = total - sum(count for count, _ in parts[:_SHOWN])
    return ", ".join(text for _, text in parts[:_SHOWN]) + (f" and {more:,} more" if more else "")
