"""The home folder of the user. In a container that runs as any user there may be none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuner.errors import UsageError

# Set for this process and its children while they have a temporary one.
_TEMPORARY = "TUNER_TEMPORARY_HOME"


def has_home() -> bool:
    """Return whether this user has a home folder of their own."""
    if _TEMPORARY in os.environ:
        return False
    try:
        return Path.home() != Path()
    except RuntimeError:
        return False


@contextmanager
def some_home() -> Iterator[str | None]:
    """Let a user without home folder have a private, empty one in the block; yield it, else None.

    Libraries keep their settings and caches below it. Without it, some make a folder that is named `~`.
    """
    if has_home() or _TEMPORARY in os.environ:
        yield None
        return
    before = os.environ.get("HOME")
    with tempfile.TemporaryDirectory(prefix="tuner-home-", ignore_cleanup_errors=True) as path:
        os.environ["HOME"] = os.environ[_TEMPORARY] = path
        try:
            yield path
        finally:
            del os.environ[_TEMPORARY], os.environ["HOME"]
            if before is not None:
                os.environ["HOME"] = before


def expanded(path: str) -> str:
    """Return a path with the home folder in the place of a leading `~`.

    Raises:
        UsageError: there is no such home folder, and no file of this very name.
    """
    if not path.startswith("~"):
        return path
    found = os.path.expanduser(path)  # noqa: PTH111 - stays text
    user = path.partition(os.sep)[0]
    if found != path and (user != "~" or has_home()):
        return found
    if os.path.lexists(path):
        return path
    whose = "this user" if user == "~" else f"'{user[1:]}'"
    raise UsageError(
        f"'{path}' lies in a home folder, and {whose} has none. Give a path without ~, or set HOME."
    )


def expanded_path(path: str | Path) -> Path:
    """Return `expanded` as a Path."""
    return Path(expanded(str(path)))
