"""Hashes of the code of a process that belongs to no installed package."""

from __future__ import annotations

import json
import sys
import sysconfig
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

PROGRAM = "tuner"
NOTEBOOK = ".ipynb"


def code_cells(contents: bytes) -> list[str]:
    """Return the text of each code cell of a notebook, in their order; other cells are empty.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is no notebook.
    """
    notebook = json.loads(contents)
    # Version 3 of the format has its cells on sheets.
    cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
    texts = []
    for cell in cells:
        text = cell.get("source", cell.get("input", "")) if cell["cell_type"] == "code" else ""
        texts.append(text if isinstance(text, str) else "".join(text))
    return texts


def code_hashes() -> dict[str, str]:
    """Return a hash of each loaded Python file that belongs to no installed package, by file name.

    These are a user's space with its imports, and the search spaces of the program, wherever they are
    installed. Of a notebook the statements that run count, not its outputs. Files with the same name share a
    hash, as do all files of an editable installation.
    """
    hashers: dict[str, Any] = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        # Not the main module and generated code.
        if not file or not file.endswith((".py", NOTEBOOK)) or name.startswith("__"):
            continue
        path = Path(file)
        own = name.partition(".")[0] == "search_spaces"
        loader: Any = getattr(module, "__loader__", None)
        carried: bytes | None = getattr(loader, "carried", None)
        if (own or not is_installed(path.parent)) and (carried is not None or path.is_file()):
            key = PROGRAM if name.partition(".")[0] == PROGRAM else path.name
            if file.endswith(NOTEBOOK):
                contents = loader.get_source(name).encode()
            else:
                contents = path.read_bytes() if carried is None else carried
            hashers.setdefault(key, blake2b(digest_size=8)).update(contents)
    return {name: hasher.hexdigest() for name, hasher in sorted(hashers.items())}


@cache
def is_installed(folder: Path) -> bool:
    """True for a folder of the standard library or of an installed package. Many modules share a few."""
    resolved = folder.resolve()
    return not _installation().isdisjoint((resolved, *resolved.parents))


@cache
def _installation() -> frozenset[Path]:
    return frozenset(Path(path).resolve() for path in sysconfig.get_paths().values())
