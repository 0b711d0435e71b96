"""The events of the files in a folder, as the kernel reports them."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EVENTS = {
    0x001: "read",
    0x002: "written",
    0x004: "given other properties",
    0x020: "opened",
    0x040: "moved away",
    0x080: "moved here",
    0x100: "created",
    0x200: "removed",
    0x400: "removed itself",
    0x800: "moved itself",
}
HEADER = struct.Struct("iIII")


class FileWatch:
    """Watches a folder and all folders in it, by inotify of Linux."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._folders = {}
        for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(each), sum(EVENTS))
            self._folders[self._checked(number)] = each

    def events(self) -> list[str]:
        """Return what happened since the last call, such as 'opened: /folder/file'."""
        found: list[str] = []
        while data := self._read():
            while data:
                number, mask, _, length = HEADER.unpack_from(data)
                name = data[HEADER.size : HEADER.size + length].rstrip(b"\0")
                data = data[HEADER.size + length :]
                path = self._folders[number] / os.fsdecode(name)
                found += [f"{event}: {path}" for bit, event in EVENTS.items() if mask & bit]
        return found

    def close(self) -> None:
        os.close(self._descriptor)

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return b""

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result


@contextmanager
def watching(folder: Path) -> Iterator[FileWatch]:
    """Watch a folder as it is now."""
    watch = FileWatch(folder)
    try:
        yield watch
    finally:
        watch.close()
