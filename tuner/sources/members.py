"""Members of an archive: what could do harm is refused or left out, the rest becomes contents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, NamedTuple

from tuner.errors import DataError, did_you_mean
from tuner.path_names import printable
from tuner.sources.contents import Contents, File
from tuner.sources.file_kinds import is_image_content, kind_of, suffix_of
from tuner.sources.listing import Reader, UnreadableError

AGAIN = "Download or pack the archive again."
_DRIVE = re.compile("[A-Za-z]:")
_SHOWN = 3

Form = Literal["file", "folder", "link"]


class Member(NamedTuple):
    """An entry of an archive."""

    path: str
    """As in the archive, with `/`."""
    size: int
    """Unpacked, in bytes."""
    handle: Any
    """Argument of `Archive.read`."""
    form: Form = "file"
    """A "link" is whatever is neither file nor folder, a device for one."""


@dataclass(frozen=True)
class Archive:
    """An archive that is read in place. Its members have passed `checked`."""

    path: Path
    location: str
    """Name for the user, in printable form."""
    members: list[Member]
    read: Callable[[BinaryIO, Any], bytes]
    """Returns the bytes of a member of the opened file, or raises UnreadableError."""
    first_bytes: Callable[[BinaryIO, Any], bytes]
    """Returns the beginning of a member, for `is_image_content`, or raises UnreadableError."""
    false_size: Callable[[Any], str | None] | None = None
    """Returns why the size of a member cannot be true, None where it can; None for a kind without claims."""
    notes: tuple[str, ...] = ()

    @contextmanager
    def open_reader(self) -> Iterator[Reader]:
        """Open the archive once more: each thread has a handle of its own, all share the members."""
        with self._open() as file:
            yield lambda handle: self.read(file, handle)

    @cached_property
    def files(self) -> dict[str, Member]:
        """Path of each file -> its member; of two files with one path the later counts, as unpacked."""
        return self._of_form("file")

    def below(self, folder: str) -> Archive:
        """Return the archive as if it held the content of one of its folders only; "" is all of it.

        Raises:
            DataError: there is no such folder.
        """
        if not folder:
            return self
        prefix = f"{folder}/"
        inside = [
            member._replace(path=member.path[len(prefix) :])
            for member in self.members
            if f"{member.path}/".startswith(prefix)
        ]
        if not inside or folder in self.files:
            folders = self._folders_of_files() | self._of_form("folder").keys()
            same = min((path for path in folders if path.endswith(f"/{folder}")), default=None)
            near = f" Did you mean '{same}'?" if same else did_you_mean(folder, folders, cutoff=0.5)
            raise DataError(
                f"{self.location}: has no folder '{folder}'.{near} Allowed: a folder in the archive, or the "
                f"archive itself. Correct the path."
            )
        return replace(self, members=inside, location=f"{self.location}/{folder}")

    def contents(self) -> Contents:
        """Return the files, sorted by kind.

        Raises:
            DataError: the size of an image cannot be true.
        """
        images: list[File] = []
        tables: list[File] = []
        passed_over = Counter[tuple[str, str]]()
        with self._open() as opened:
            for path, member in self.files.items():
                file = File(path, member.size, member.handle)
                kind = self._kind(opened, member)
                if kind == "other":
                    passed_over[file.folder, suffix_of(path)] += 1
                elif kind == "table":
                    tables.append(file)
                elif self.false_size and (problem := self.false_size(member.handle)):
                    raise _refused(self.location, path, problem)
                else:
                    images.append(file)
        full = self._folders_of_files()
        empty = tuple(sorted(path for path in self._of_form("folder") if path not in full))
        notes = (*self.notes, *_note_of_links(sorted(self._of_form("link"))))
        return Contents(images, self.open_reader, tables, passed_over, empty, notes)

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        try:
            with self.path.open("rb") as file:
                yield file
        except OSError as error:
            raise unreadable(self.location, error) from error

    def _kind(self, opened: BinaryIO, member: Member) -> Literal["image", "table", "other"]:
        kind = kind_of(member.path)
        if kind in ("image", "table", "other"):
            return kind
        try:
            return "image" if is_image_content(self.first_bytes(opened, member.handle)) else "other"
        except UnreadableError:
            return "other"

    def _folders_of_files(self) -> set[str]:
        folders = {path.rpartition("/")[0] for path in self.files}
        return folders | {str(above) for folder in folders for above in PurePosixPath(folder).parents}

    def _of_form(self, form: Form) -> dict[str, Member]:
        """Return members by their paths, without those that systems make."""
        return {
            member.path: member
            for member in self.members
            if member.form == form and member.path and kind_of(member.path) != "junk"
        }


def checked(members: Iterable[Member], location: str) -> list[Member]:
    """Return members with paths in printable form, without needless dots and slashes.

    Raises:
        DataError: a path leads out of the archive.
    """
    found = []
    for member in members:
        parts = member.path.split("/")
        if member.path.startswith("/") or _DRIVE.match(member.path) or ".." in parts:
            raise _refused(location, member.path, "has a path that leads out of the archive")
        # Some tools write ./real/1.png, which is no hidden file.
        clean = "/".join(part for part in parts if part not in ("", "."))
        found.append(member._replace(path=printable(clean)))
    return found


def _refused(location: str, path: str, problem: str) -> DataError:
    return DataError(
        f"{location}: entry '{printable(path)}' {problem}. Allowed are plain files with relative paths. "
        f"Pack the archive again without it."
    )


def unreadable(location: str, error: OSError) -> DataError:
    """Return the error for a file that the system does not let us read."""
    return DataError(
        f"{location}: cannot be read ({error.strerror or error}). "
        f"A data set must be a readable file. Change its permissions or give another."
    )


def damaged(location: str, kind: str, reason: str) -> DataError:
    """Return the error for an archive, of kind zip or tar, that cannot be opened; `reason` in a few words."""
    return DataError(
        f"{location}: is no {kind} archive, or only a part of one ({printable(reason)}). "
        f"Allowed: a whole archive. {AGAIN}"
    )


def legacy_encoding(names: Iterable[bytes]) -> str:
    """Return the likely encoding of names that do not say theirs: UTF-8, Latin-1, or cp437 as in MS-DOS.

    The letters of Latin-1 have bytes above those of the letters in cp437.
    """
    joined = b"/".join(names)
    try:
        joined.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1" if all(byte < 0x80 or byte >= 0xC0 for byte in joined) else "cp437"
    return "utf-8"


def note_of_names(encoding: str, names: Iterable[bytes]) -> tuple[str, ...]:
    """Return a sentence on names of an encoding that is no more than likely."""
    if encoding == "utf-8":
        return ()
    first = printable(min(names).decode(encoding))
    return (f"names in the archive do not say their encoding and are read as {encoding}, such as '{first}'",)


def _note_of_links(links: list[str]) -> tuple[str, ...]:
    if not links:
        return ()
    more = f" and {len(links) - _SHOWN:,} more" if len(links) > _SHOWN else ""
    return (f"links in the archive are left out, not followed: {', '.join(links[:_SHOWN])}{more}",)
