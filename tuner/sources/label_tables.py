"""All tables of a source together: which of them label its images, and what they say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tuner.data_options import DataOptions
from tuner.errors import DataError
from tuner.sources.contents import Contents, File
from tuner.sources.file_kinds import suffix_of
from tuner.sources.label_columns import NoLabelTableError, number_of, require_columns
from tuner.sources.label_table import LabelTable, label_table
from tuner.sources.labelling import LabelledFile, Labelling, unlabelled_notes, with_whole_splits
from tuner.sources.listing import UnreadableError, read_file
from tuner.sources.table_files import MAX_TABLE_BYTES, NO_VALUE, TableError, read_table
from tuner.units import counted

if TYPE_CHECKING:
    import pandas as pd

MAX_TABLES = 20
"""Most files of one suffix in a folder that may be tables of labels: more are notes on single images."""
COVERED_SHARE = 0.9
"""Share of the images in class folders that a table must label to speak against the folders."""

_SUBMISSION = re.compile("submi", re.IGNORECASE)
_BESIDE = re.compile("label|train|valid|^val|^test|meta|class|annot|target|truth", re.IGNORECASE)
_OUTSIDE = "../"
_TEXT_SUFFIXES = ("csv", "tsv", "json", "jsonl")
_SHOWN = 3


class Tables(NamedTuple):
    """The tables of a source."""

    used: list[LabelTable]
    """Those that name images, with labels or without."""
    not_used: dict[str, str]
    """Path of each other table -> reason."""
    refusal: DataError | None
    """The first reason against labels of a table that means to have some."""

    @property
    def have_labels(self) -> bool:
        return any(table.has_labels for table in self.used)

    def notes(self, used: bool = True, why: str = "") -> Iterator[str]:
        """Yield a sentence on each table that gives nothing.

        Args:
            used: Whether the tables with labels are in use.
            why: Reason against a table with labels that is not in use.
        """
        reasons = self.not_used | {
            table.path: why if table.has_labels else "it has no column of classes"
            for table in self.used
            if not (used and table.has_labels)
        }
        for path, reason in list(reasons.items())[:_SHOWN]:
            yield f"{path} is not used: {reason}"
        if len(reasons) > _SHOWN:
            yield f"{counted(len(reasons) - _SHOWN, 'more table')} not used, such as {list(reasons)[-1]}"


def read_tables(contents: Contents, location: str, options: DataOptions) -> Tables:
    """Return the tables among the files of a source.

    Raises:
        DataError: the user names a column that no table has.
    """
    tables = Tables([], {}, None)
    frames = dict(_frames(contents, tables.not_used))
    if frames:
        require_columns(list(frames.values()), options, location)
    refusal = None
    for path, frame in frames.items():
        try:
            tables.used.append(label_table(path, frame, contents.images, options))
        except NoLabelTableError as error:
            tables.not_used[path] = str(error)
        except DataError as error:
            tables.not_used[path] = str(error).partition(". ")[0]
            refusal = refusal or DataError(f"{path}: {error}")
    return tables._replace(refusal=refusal)


def label_by_tables(tables: Tables, files: Sequence[File], location: str, options: DataOptions) -> Labelling:
    """Label images by the tables that have labels, together as one.

    Raises:
        DataError: two tables give an image different classes.
    """
    by_path = {file.path: file for file in files}
    images: dict[str, LabelledFile] = {}
    said_by: dict[str, str] = {}
    for table in tables.used:
        for path, row in table.rows.items():
            if row.label == NO_VALUE:
                continue
            image = LabelledFile(by_path[path], row.label, row.split, row.group)
            before = images.setdefault(path, image)
            if before.class_name != row.label:
                raise DataError(
                    f"{location}: {said_by[path]} and {table.path} give {path} different classes: "
                    f"{before.class_name} and {row.label}. Leave one of them out with "
                    f"--exclude '{table.path}'."
                )
            images[path] = before._replace(split=before.split or row.split, group=before.group or row.group)
            said_by.setdefault(path, table.path)
    labelled, notes = with_whole_splits(_named_in_order(list(images.values())))
    others = [file for file in files if file.path not in images]
    return Labelling(
        labelled,
        (),
        (
            *_sources([table for table in tables.used if table.has_labels]),
            *notes,
            *tables.notes(),
            *unlabelled_notes(others, "without a label", options.split_of_folder),
        ),
        options.group_column is not None,
    )


def with_rows(folders: Labelling, tables: Tables, options: DataOptions) -> Labelling:
    """Return images labelled by their folders, with the splits and groups of tables without labels."""
    rows = {path: row for table in tables.used for path, row in table.rows.items()}
    images = [
        image._replace(split=row.split or image.split, group=row.group)
        if (row := rows.get(image.file.path))
        else image
        for image in folders.images
    ]
    notes = (*folders.notes, "the folders give the classes", *_sources(tables.used))
    return Labelling(images, folders.skipped, notes, options.group_column is not None)


def confirmed(folders: Labelling, tables: Tables, location: str) -> Labelling:
    """Return images labelled by their folders, with a note on each table that is not used.

    Raises:
        DataError: a table says plainly that the classes are others.
    """
    inside = Tables(
        [table for table in tables.used if not table.path.startswith(_OUTSIDE)],
        {path: reason for path, reason in tables.not_used.items() if not path.startswith(_OUTSIDE)},
        None,
    )
    named = [table for table in inside.used if table.columns.named]
    rows = {path: row for table in named for path, row in table.rows.items() if row.label != NO_VALUE}
    pairs = Counter(
        (image.class_name, row.label) for image in folders.images if (row := rows.get(image.file.path))
    )
    is_about_all = pairs.total() >= COVERED_SHARE * len(folders.images)
    in_folders, in_table = ({pair[side] for pair in pairs} for side in (0, 1))
    if pairs and is_about_all and not len(pairs) == len(in_folders) == len(in_table):
        table = named[0]
        raise DataError(
            f"{location}: the folders and the column '{table.columns.label}' of {table.path} give "
            f"different classes: {', '.join(sorted(in_folders)[:3])} and "
            f"{', '.join(sorted(in_table)[:3])}. Choose the folders with --exclude '{table.path}', or "
            f"the table with --label-column '{table.columns.label}'."
        )
    notes = inside.notes(used=False, why="the folders give the classes")
    return folders._replace(notes=(*folders.notes, *notes))


def tables_beside(path: Path) -> list[File]:
    """Return the tables beside an archive that may be about it, by their names; none beside a folder."""
    try:
        files = sorted(path.parent.iterdir()) if path.is_file() else []
    except OSError:  # a folder that may be entered and not listed
        files = []
    tables = [
        File(f"{_OUTSIDE}{beside.name}", beside.stat().st_size, beside)
        for beside in files
        if suffix_of(beside.name) in _TEXT_SUFFIXES and beside.is_file() and beside != path
    ]
    names = (path.stem, path.name.partition(".")[0])
    return [file for file in tables if _BESIDE.search(file.name) or file.name.startswith(names)][:MAX_TABLES]


def tables_beside_digest(path: Path) -> list[tuple[str, int, int]]:
    """Return the name, size and modification time in ns of each table beside an archive."""
    return [(file.path, file.size, file.handle.stat().st_mtime_ns) for file in tables_beside(path)]


def _frames(contents: Contents, not_used: dict[str, str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the path and the columns of each file that is a table; fill in why others are none."""
    alike = Counter((file.folder, suffix_of(file.name)) for file in contents.tables)
    for file in sorted(contents.tables, key=lambda file: (file.path.count("/"), file.path)):
        number = alike[file.folder, suffix_of(file.name)]
        try:
            if number > MAX_TABLES:
                raise TableError(f"{number:,} files like it lie in one folder")
            if _SUBMISSION.search(file.name):
                raise TableError("it is a form for predictions")
            yield file.path, read_table(_content(file, contents), file.path)
        except (TableError, UnreadableError) as error:
            not_used[file.path] = str(error)


def _content(file: File, contents: Contents) -> bytes:
    if file.size > MAX_TABLE_BYTES:
        raise TableError(f"{file.size:,} bytes, more than {MAX_TABLE_BYTES:,}")
    if isinstance(file.handle, Path):
        return read_file(str(file.handle), file.size)
    with contents.open_reader() as read:
        data = read(file.handle)
    if not isinstance(data, bytes):
        raise AssertionError("a reader of files returns bytes")
    return data


def _named_in_order(images: list[LabelledFile]) -> list[LabelledFile]:
    """Write classes that are whole numbers with leading zeros, so that alphabetical order is their order."""
    numbers = {image.class_name: number_of(image.class_name) for image in images}
    if not all(number is not None and number.is_integer() for number in numbers.values()):
        return images
    names = {name: int(number) for name, number in numbers.items() if number is not None}
    width = (
        max((len(str(number)) for number in names.values()), default=0)
        if min(names.values(), default=0) >= 0
        else 0
    )
    return [image._replace(class_name=f"{names[image.class_name]:0{width}d}") for image in images]


def _sources(tables: Sequence[LabelTable]) -> Iterator[str]:
    """Yield a sentence on the columns of each table in use, and on its rows without an image."""
    for table in tables[:_SHOWN]:
        columns = table.columns
        classes = (
            f"'{columns.label}'" if columns.label else f"one of {len(columns.one_hot)} columns of 0 and 1"
        )
        more = [
            f"{kind} '{name}'" for kind, name in (("split", columns.split), ("group", columns.group)) if name
        ]
        parts = [f"image '{columns.path}'", *([f"class {classes}"] if columns.has_labels else []), *more]
        yield f"columns of {table.path}: {', '.join(parts)}"
    missing = [(table.path, name) for table in tables for name in table.missing]
    if missing:
        where = sorted({path for path, _ in missing})
        yield (
            f"{counted(len(missing), 'row')} of {', '.join(where[:_SHOWN])} without an image left out, "
            f"such as '{missing[0][1]}'"
        )
