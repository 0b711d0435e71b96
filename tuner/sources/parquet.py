"""Images inside .parquet files, as Hugging Face saves its data sets: one file, or a folder of shards."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tuner.data_options import NO_WISHES, DataOptions
from tuner.errors import DataError, one_line
from tuner.path_names import printable
from tuner.sources.arrangement import finished
from tuner.sources.contents import Contents, File
from tuner.sources.folders import walk_images
from tuner.sources.label_columns import require_columns
from tuner.sources.label_table import label_table, split_of_table
from tuner.sources.label_tables import Tables, label_by_tables
from tuner.sources.listing import Listing, Source, UnreadableError, require_image_size
from tuner.sources.table_files import NO_VALUE, PARQUET_EXTRA, text_frame

MAX_GROUP_BYTES = 2**30
"""Size of the largest row group that is read, unpacked, in bytes: a bound on memory."""

_FOOTER_BYTES = 2**16
_FIRST_ENTRIES = 100
_PATH, _SPLIT = "image file", "split of the shard"
_NO_CLASS = -1
"""Number of the class of images without one, as Hugging Face writes it."""


class _Handle(NamedTuple):
    """The place of an image."""

    shard: str
    column: str
    group: int
    row: int
    """Within the row group."""


class ParquetSource(Source):
    """Images in a column of bytes, or of objects of bytes and path, and their classes in another column."""

    def digest(self) -> str:
        """Return a hash of the name, size, modification time and footer of each shard."""
        found = blake2b(digest_size=16)
        for shard in parquet_files(self.path):
            status = shard.stat()
            found.update(f"{shard.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "replace"))
            with shard.open("rb") as file:
                file.seek(max(0, status.st_size - _FOOTER_BYTES))
                found.update(file.read())
        return found.hexdigest()

    def listing(self, options: DataOptions = NO_WISHES) -> Listing:
        import pyarrow as pa

        images: list[File] = []
        columns: dict[str, list[Any]] = {_PATH: [], _SPLIT: []}
        try:
            for shard in parquet_files(self.path):
                self._add(shard, images, columns)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.location, error) from error
        if not any(columns[_SPLIT]):
            del columns[_SPLIT]
        frame = text_frame({name: values for name, values in columns.items() if len(values) == len(images)})
        by_path = options.model_copy(update={"path_column": _PATH})
        require_columns([frame], by_path, self.location)
        reader = _ShardReader()
        contents = Contents(images, lambda: nullcontext(reader)).without(options.exclude)
        try:
            table = label_table(self.name, frame, contents.images, by_path)
        except DataError as error:
            raise DataError(f"{self.location}: {error}") from None
        if not table.has_labels:
            raise DataError(
                f"{self.location}: no column of classes among {', '.join(frame.columns)}. "
                f"Name one with --label-column."
            )
        found = label_by_tables(Tables([table], {}, None), contents.images, self.location, options)
        return finished(found, contents, options)

    def _add(self, shard: Path, images: list[File], columns: dict[str, list[Any]]) -> None:
        """Add the images of a shard and its other columns."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        with pq.ParquetFile(shard) as file:
            column = _image_column(file.schema_arrow)
            if column is None:
                return
            where = printable(
                shard.relative_to(self.path if self.path.is_dir() else self.path.parent).as_posix()
            )
            first = len(images)
            for group in range(file.num_row_groups):
                if (size := file.metadata.row_group(group).total_byte_size) > MAX_GROUP_BYTES:
                    raise DataError(
                        f"{self.location}: a row group of {where} has {size:,} bytes. Allowed: "
                        f"{MAX_GROUP_BYTES:,}. Save it with smaller row groups."
                    )
                sizes = pc.binary_length(_image_bytes(file, group, column)).to_pylist()
                for row, bytes_of_row in enumerate(sizes):
                    name = f"{where}[{len(images) - first:07d}]"
                    images.append(File(name, bytes_of_row or 0, _Handle(str(shard), column, group, row)))
            number = len(images) - first
            columns[_PATH] += [image.path for image in images[first:]]
            columns[_SPLIT] += [split_of_table(f"{where.partition('-')[0]}.parquet") or NO_VALUE] * number
            names = _class_names(file.schema_arrow)
            plain = [field.name for field in file.schema_arrow if not _is_nested(field.type)]
            table = file.read(columns=plain)
            for name in plain:
                values = table[name].to_pylist()
                if classes := names.get(name):
                    values = [_class_name(value, classes) for value in values]
                columns.setdefault(name, []).extend(values)


def parquet_files(path: Path) -> list[Path]:
    """Return a .parquet file itself, or those in a folder and in the folders in it, in order of path."""
    if path.is_file():
        return [path] if path.suffix.lower() == ".parquet" else []
    return sorted([*path.glob("*.parquet"), *path.glob("*/*.parquet")])


def holds_parquet_images(path: Path) -> bool:
    """Tell a .parquet file with images in it, or a folder of such files.

    Raises:
        DataError: pyarrow is not installed, or the first file is damaged.
    """
    files = parquet_files(path) if path.is_file() or _may_hold_shards(path) else []
    if not files:
        return False
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        if path.is_dir() and next(walk_images(str(path)), None):
            return False
        raise DataError(
            f"{printable(str(path))}: reading .parquet files needs pyarrow. Install it with "
            f"`{PARQUET_EXTRA}`, or give another form of the data."
        ) from None
    try:
        return _image_column(pq.read_schema(files[0])) is not None
    except (pa.ArrowException, OSError) as error:
        raise _damaged(printable(str(files[0])), error) from error


def _may_hold_shards(folder: Path) -> bool:
    """Tell whether a .parquet file is among the first entries of a folder or of one in it.

    A folder of shards holds few files, and one of many thousand images is not to be listed for this.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        folders = [folder, *(Path(entry.path) for entry in entries if entry.is_dir())]
        for each in folders:
            with suppress(OSError), os.scandir(each) as inner:
                if any(entry.name.endswith(".parquet") for entry in islice(inner, _FIRST_ENTRIES)):
                    return True
    return False


def _image_column(schema: Any) -> str | None:
    """Return the first column of bytes or of objects with bytes, the one called image before others."""
    import pyarrow as pa

    found = [
        field.name
        for field in schema
        if _is_bytes(field.type)
        or (pa.types.is_struct(field.type) and any(inner.name == "bytes" for inner in field.type))
    ]
    return min(found, key=lambda name: name not in ("image", "img"), default=None)


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_nested(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_nested(kind) or _is_bytes(kind))


def _class_names(schema: Any) -> dict[str, Sequence[str]]:
    """Return the names of the classes of each column of class numbers, as Hugging Face notes them."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and isinstance(feature.get("names"), list)
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _class_name(value: Any, names: Sequence[str]) -> str | None:
    if not isinstance(value, int) or value == _NO_CLASS:
        return None
    return str(names[value]) if 0 <= value < len(names) else str(value)


def _image_bytes(file: Any, group: int, column: str) -> Any:
    """Return the bytes of the images of a row group, as an array of Arrow."""
    import pyarrow as pa
    import pyarrow.compute as pc

    images = file.read_row_group(group, columns=[column])[column]
    return pc.struct_field(images, "bytes") if pa.types.is_struct(images.type) else images


class _ShardReader:
    """Reads images. Each thread keeps the row group that it read last, as images follow one another."""

    def __init__(self) -> None:
        self._last = threading.local()

    def __call__(self, handle: _Handle) -> bytes:
        try:
            data = self._group(handle)[handle.row].as_buffer()
        except OSError as error:
            raise UnreadableError(error.strerror or "cannot be read") from error
        if data is None:
            raise UnreadableError("no bytes in its row")
        require_image_size(data.size)
        return bytes(data.to_pybytes())

    def _group(self, handle: _Handle) -> Any:
        import pyarrow.parquet as pq

        place = (handle.shard, handle.group)
        if getattr(self._last, "place", None) != place:
            with pq.ParquetFile(handle.shard) as file:
                self._last.images = _image_bytes(file, handle.group, handle.column)
            self._last.place = place
        return self._last.images


def _damaged(location: str, error: Exception) -> DataError:
    return DataError(f"{location}: is no whole .parquet file ({one_line(error)}). Download it again.")
