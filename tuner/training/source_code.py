"""Hashes of the code of a process that belongs to no installed package."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

PROGRAM = "tuner"


def code_hashes() -> dict[str, str]:
    """Return a hash of each loaded Python file that belongs to no installed package, by file name.

    These are a user's space with its imports, and the search spaces of the program, wherever they are
    installed. Files with the same name share a hash, as do all files of an editable installation.
    """
    hashers: dict[str, Any] = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or not file.endswith(".py") or name.startswith("__"):  # the main module, generated code
            continue
        path = Path(file)
        own = name.partition(".")[0] == "search_spaces"
        if (own or not is_installed(path.parent)) and path.is_file():
            key = PROGRAM if name.partition(".")[0] == PROGRAM else path.name
            hashers.setdefault(key, blake2b(digest_size=8)).update(path.read_bytes())
    return {name: hasher.hexdigest() for name, hasher in sorted(hashers.items())}


@cache
def is_installed(folder: Path) -> bool:
    """True for a folder of the standard library or of an installed package. Many modules share a few."""
    resolved = folder.resolve()
    return not _installation().isdisjoint((resolved, *resolved.parents))


@cache
def _installation() -> frozenset[Path]:
    return frozenset(Path(path).resolve() for path in sysconfig.get_paths().values())
