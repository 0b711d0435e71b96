"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tuner.errors import StorageError

DRAFT_PREFIX = "draft-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a draft, which takes the place of `path` at the end; a reader never sees a part.

    Folders on the way are made. The draft has the suffix of `path`.

    Raises:
        StorageError: the file cannot be written; it is as it was before.
    """
    draft = path.with_name(DRAFT_PREFIX + path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write '{path}': {error.strerror or error}. Free space or permissions, then go on."
        ) from None


def replace_text(path: Path, text: str) -> None:
    """Replace a text file.

    Raises:
        StorageError: the file cannot be written; it is as it was before.
    """
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="")
