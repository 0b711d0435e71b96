"""Which code a process runs that no package's version tells of."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from hashlib import blake2b
from pathlib import Path


def code_hash() -> str:
    """Return a hash of the loaded Python files that belong to no installed package.

    These are a user's space and what it imports. The search spaces that come with the program are hashed
    wherever they are installed.
    """
    hasher = blake2b(digest_size=8)
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or not file.endswith(".py") or name.startswith("__"):  # the main module, generated code
            continue
        path = Path(file)
        own = name.partition(".")[0] == "search_spaces"
        if (own or not is_installed(path.parent)) and path.is_file():
            hasher.update(path.name.encode() + b"\0" + path.read_bytes())
    return hasher.hexdigest()


@cache
def is_installed(folder: Path) -> bool:
    """True for a folder of the standard library or of an installed package; many modules share a few."""
    resolved = folder.resolve()
    return not _installation().isdisjoint((resolved, *resolved.parents))


@cache
def _installation() -> frozenset[Path]:
    return frozenset(Path(path).resolve() for path in sysconfig.get_paths().values())
