"""A table of labels as a source: its images lie below its folder, or where its paths lead."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data_options import NO_WISHES, DataOptions
from tuner.errors import DataError
from tuner.path_names import printable
from tuner.sources.arrangement import TreeSource, arrange
from tuner.sources.contents import Contents, File
from tuner.sources.folders import FolderSource, file_size, open_files
from tuner.sources.label_columns import require_columns
from tuner.sources.listing import Listing
from tuner.sources.table_files import MAX_TABLE_BYTES, TableError, read_table

if TYPE_CHECKING:
    import pandas as pd

_SAMPLED_ROWS = 200


class TableSource(TreeSource):
    """Images named by a table, each with its class and perhaps its split and group.

    Paths in the table are absolute or relative to its folder. Where they lead to no files, the images are all
    those below the folder of the table, found by the ends of their paths, their names or ids.
    """

    def digest(self) -> str:
        """Return a hash of the table and of the path, size and modification time of its images."""
        found = blake2b(self._data, digest_size=16)
        if not self._paths:
            found.update(FolderSource(self.path.parent).digest().encode())
        for path in self._paths:
            with suppress(OSError):
                status = Path(path).stat()
                found.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "replace"))
        return found.hexdigest()

    def contents(self) -> Contents:
        table = File(printable(self.path.name), len(self._data), self.path)
        if not self._paths:
            return replace(FolderSource(self.path.parent).contents(), tables=[table])
        top = os.path.commonpath([Path(path).parent for path in self._paths])
        images = []
        for path in self._paths:
            size = file_size(Path(path).stat())
            images.append(File(printable(os.path.relpath(path, top)), max(size, 0), (path, size)))
        return Contents(images, open_files, [table])

    def listing(self, options: DataOptions = NO_WISHES) -> Listing:
        require_columns([self._frame], options, self.location)
        contents = self.contents().without(options.exclude)
        if not contents.images:
            columns = list(map(str, self._frame.columns))
            raise DataError(
                f"{self.location}: names no image files, and its folder holds none; its columns: "
                f"{', '.join(columns[:10])}{', ...' if len(columns) > 10 else ''}. "
                f"Allowed: a table beside its images, or with their paths. Save pixels as x and y in a .npz."
            )
        return arrange(contents, self.location, options, by_table=True)

    @cached_property
    def _data(self) -> bytes:
        try:
            size = self.path.stat().st_size
            if size > MAX_TABLE_BYTES:
                raise DataError(
                    f"{self.location}: {size:,} bytes. Allowed: a table of {MAX_TABLE_BYTES:,} bytes. "
                    f"Leave columns out."
                )
            return self.path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{self.location}: cannot be read ({error.strerror}). Change its permissions or give another."
            ) from error

    @cached_property
    def _frame(self) -> pd.DataFrame:
        try:
            return read_table(self._data, self.path.name)
        except TableError as error:
            raise DataError(
                f"{self.location}: is no table of labels: {error}. Allowed: columns of image files and their "
                f"classes. Correct it, or give the folder of the images."
            ) from None

    @cached_property
    def _paths(self) -> list[str]:
        """Absolute path of each file that the table names; empty where few of its rows name one by a path."""
        sample = self._frame.iloc[:: max(1, len(self._frame) // _SAMPLED_ROWS)]
        files = {str(name): sum(map(os.path.isfile, self._resolved(sample[name]))) for name in sample.columns}
        column = max(files, key=lambda name: files[name])
        if 2 * files[column] < len(sample):
            return []
        paths = dict.fromkeys(self._resolved(self._frame[column]))
        return [path for path in paths if os.path.isfile(path)]  # noqa: PTH113 - a Path costs more, once an image

    def _resolved(self, values: Iterable[str]) -> list[str]:
        folder = str(self.path.parent)
        return [
            os.path.normpath(os.path.join(folder, value.replace("\\", "/")))  # noqa: PTH118
            for value in values
            if value and "\0" not in value
        ]
