"""JSON files that carry a checksum of themselves and of the files that they describe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuner.errors import StorageError
from tuner.results.tables import write_json

CHECKSUM = "checksum"
FILES = "files"


def write_checked(path: Path, value: dict[str, Any], describes: Iterable[str] = ()) -> None:
    """Replace a JSON file by an object and, in it, the SHA-256 of its content and of files beside it.

    Args:
        describes: Names of the files, of which missing ones are left out.

    Raises:
        StorageError: the file cannot be written, or another cannot be read.
    """
    beside = (path.with_name(name) for name in describes)
    files = {each.name: sha256(each) for each in beside if each.is_file()}
    whole = {key: each for key, each in value.items() if key != FILES} | ({FILES: files} if files else {})
    write_json(path, {**whole, CHECKSUM: _of_content(whole)})


def read_checked(path: Path) -> dict[str, Any]:
    """Return the object in a file of `write_checked`, without its own checksum.

    Raises:
        StorageError: the file is missing, or its content is not what was written.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
        if not isinstance(value, dict):
            raise ValueError("it is no object")
        if value.pop(CHECKSUM, None) != _of_content(value):
            raise ValueError("its content does not agree with its checksum")
    except (OSError, ValueError, RecursionError) as error:
        raise damaged_file(path, str(error)) from None
    return value


def require_intact(path: Path, described: dict[str, Any]) -> Path:
    """Return the path of a file if it is the one that an object of `read_checked` beside it describes.

    Raises:
        StorageError: it is missing, or another one.
    """
    files = described.get(FILES, {})
    known = files.get(path.name) if isinstance(files, dict) else None
    if known is None or sha256(path) != known:
        raise damaged_file(path, "its content does not agree with its checksum")
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits, as the program sha256sum prints it.

    Raises:
        StorageError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise damaged_file(path, str(error.strerror or error)) from None


def damaged_file(path: Path, how: str) -> StorageError:
    """Return the error for a file of a run that is not as it was written."""
    return StorageError(f"'{path}' is damaged: {how}. Repair the run it is part of with: tuner doctor RUN")


def _of_content(value: dict[str, Any]) -> str:
    """Return the SHA-256 of an object, whatever the order and the layout of its JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
