"""Which code a process runs that no package's version tells of."""

from __future__ import annotations

import sys
import sysconfig
from hashlib import blake2b
from pathlib import Path


def code_hash() -> str:
    """Return a hash of the loaded Python files that belong to no installed package.

    These are a user's space and what it imports. The search spaces that come with the program are hashed
    wherever they are installed.
    """
    installed = [Path(path).resolve() for path in set(sysconfig.get_paths().values())]
    hasher = blake2b(digest_size=8)
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or not file.endswith(".py") or name.startswith("__"):  # the main module, generated code
            continue
        path = Path(file).resolve()
        own = name.partition(".")[0] == "search_spaces"
        if not path.is_file() or (not own and any(base in path.parents for base in installed)):
            continue
        hasher.update(path.name.encode() + b"\0" + path.read_bytes())
    return hasher.hexdigest()
