"""One table of labels: what it says on which image of a source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tuner.data_options import SPLITS, DataOptions
from tuner.errors import DataError
from tuner.sources.contents import File
from tuner.sources.file_index import AMBIGUOUS, FileIndex, Match
from tuner.sources.label_columns import TRUE, Columns, NoLabelTableError, find_columns, number_of
from tuner.sources.labelling import split_of_path
from tuner.sources.split_names import split_of
from tuner.sources.table_files import NO_VALUE

if TYPE_CHECKING:
    import pandas as pd

_ONE_CLASS = "Allowed is one class for each image; name a column of such classes with --label-column."
# `train_labels.csv` and `val_annotations.csv` belong to a split.
_NO_MEANING = frozenset(
    ("label", "labels", "annotation", "annotations", "metadata", "meta", "classes", "list", "csv", "solution")
)
_LIST_SIGNS = re.compile(r"\s*[|;,]\s*")
_MANY_FRACTIONS = 10
"""Most different numbers with fractions that may be classes."""
_MANY_LABELS = 0.75
"""Most different labels that may be classes, as a share of the images."""


class Row(NamedTuple):
    """What a table says on an image."""

    label: str
    """NO_VALUE where the table has none."""
    split: str | None
    group: str | None


@dataclass(frozen=True)
class LabelTable:
    """A table that names images."""

    path: str
    columns: Columns
    rows: dict[str, Row]
    """By the path of the image."""
    missing: Sequence[str]
    """Names in it without an image."""

    @property
    def has_labels(self) -> bool:
        return any(row.label != NO_VALUE for row in self.rows.values())


def label_table(path: str, frame: pd.DataFrame, files: Sequence[File], options: DataOptions) -> LabelTable:
    """Return what a table says on the images.

    Args:
        path: Of the table; its folder and its name tell which images it is about.
        frame: Its columns, as text.
        files: All images.
        options: Columns and splits that the user names.

    Raises:
        NoLabelTableError: it does not name images.
        DataError: its labels are no classes, or several images have a name of the table.
    """
    for scope in _scopes(path, files, options.split_of_folder):
        index = FileIndex(scope)
        try:
            columns = find_columns(frame, index, len(scope), options)
        except NoLabelTableError as error:
            reason = error
            continue
        matches = _matches(frame, columns, index, scope, _folders_of_split(path, files))
        found = sum(match is not None for match in matches)
        if len(scope) == len(files) or 2 * found >= min(len(frame), len(scope)):
            return _filled(path, frame, columns, scope, matches, options)
    raise reason


def split_of_table(path: str) -> str | None:
    """Return the split that the name of a table or its folder means."""
    words = re.findall("[a-z]+", path.rpartition("/")[2].rpartition(".")[0].lower())
    return split_of("_".join(word for word in words if word not in _NO_MEANING)) or split_of_path(path, {})


def _scopes(path: str, files: Sequence[File], wishes: Mapping[str, str]) -> Iterator[Sequence[File]]:
    """Yield the images that a table may be about, the fewest first and all of them last."""
    folder, _, name = path.rpartition("/")
    stem, split = name.rpartition(".")[0], split_of_table(path)
    near = [file for file in files if file.path.startswith(f"{folder}/")] if folder else list(files)
    of_split = [file for file in near if split and split_of_path(file.path, wishes) == split]
    of_name = [file for file in near if stem in file.path.split("/")[:-1]]
    yield from (scope for scope in (of_split, of_name, near) if 0 < len(scope) < len(files))
    yield files


def _folders_of_split(path: str, files: Sequence[File]) -> list[str]:
    """Return the names of folders of the split that a table is about, train where it does not say."""
    names = {name for folder in {file.folder for file in files} for name in folder.split("/")}
    return sorted(name for name in names if split_of(name) == (split_of_table(path) or "train"))


def _matches(
    frame: pd.DataFrame, columns: Columns, index: FileIndex, files: Sequence[File], folders: Sequence[str]
) -> list[Match | None]:
    """Return the image of each row; of several rows with one image only those that name it most exactly.

    Args:
        folders: Names of folders that tell images of the same name apart, where the table itself does not.
    """
    hints = [frame[name] for name in (columns.split, columns.label) if name]
    found = [
        _in_same_split(name, index.find(name, (*hint, *folders)), files)
        for name, *hint in zip(frame[columns.path], *hints, strict=True)
    ]
    best: dict[int, tuple[int, int]] = {}
    for match in found:
        if match:
            best[match.place] = max(match.strength, best.get(match.place, match.strength))
    return [
        match if match and (match.place == AMBIGUOUS or match.strength == best[match.place]) else None
        for match in found
    ]


def _in_same_split(name: str, match: Match | None, files: Sequence[File]) -> Match | None:
    """Return the match of a name, None where the path in it means another split than that of the file."""
    if match is None or match.place == AMBIGUOUS:
        return match
    meant = split_of_path(name.replace("\\", "/"), {})
    found = split_of_path(files[match.place].path, {})
    return None if meant and found and meant != found else match


def _filled(
    path: str,
    frame: pd.DataFrame,
    columns: Columns,
    files: Sequence[File],
    matches: Sequence[Match | None],
    options: DataOptions,
) -> LabelTable:
    names = frame[columns.path].tolist()
    rows: dict[str, Row] = {}
    own_split = split_of_table(path)
    splits = _splits(frame, columns)
    groups = frame[columns.group].tolist() if columns.group else [NO_VALUE] * len(frame)
    for name, match, label, split, group in zip(
        names, matches, _labels(frame, columns), splits, groups, strict=True
    ):
        if match is None:
            continue
        if match.place == AMBIGUOUS:
            raise DataError(
                f"several images have the name '{name}' of column '{columns.path}'. "
                f"Allowed are names that one image has. Write paths with folders into the column."
            )
        file = files[match.place]
        in_folder = own_split or split_of_path(file.path, options.split_of_folder)
        row = Row(label, split or (None if columns.split else in_folder), group or None)
        if (other := rows.setdefault(file.path, row)) != row and other.label != row.label:
            raise DataError(
                f"several classes for one image (multi-label): '{name}' has {other.label} and {row.label}. "
                f"{_ONE_CLASS}"
            )
    if columns.label:
        _require_classes([row.label for row in rows.values() if row.label != NO_VALUE], columns.label)
    missing = [name for name, match in zip(names, matches, strict=True) if match is None]
    return LabelTable(path, columns, rows, missing)


def _labels(frame: pd.DataFrame, columns: Columns) -> list[str]:
    if columns.label:
        return frame[columns.label].tolist()
    if not columns.one_hot:
        return [NO_VALUE] * len(frame)
    marks = [[value.lower() in TRUE for value in frame[name]] for name in columns.one_hot]
    labels = []
    for place, marked in enumerate(zip(*marks, strict=True)):
        classes = [name for name, mark in zip(columns.one_hot, marked, strict=True) if mark]
        if len(classes) > 1:
            raise DataError(
                f"several classes for one image (multi-label): '{frame[columns.path].iloc[place]}' has 1 in "
                f"the columns {', '.join(classes[:5])}. {_ONE_CLASS}"
            )
        labels.append(classes[0] if classes else NO_VALUE)
    return labels


def _splits(frame: pd.DataFrame, columns: Columns) -> list[str | None]:
    if not columns.split:
        return [None] * len(frame)
    splits = {value: split_of(value) for value in frame[columns.split].unique()}
    if unknown := sorted(value for value, split in splits.items() if not split and value != NO_VALUE):
        raise DataError(
            f"'{unknown[0]}' in column '{columns.split}' is no split. "
            f"Allowed: {', '.join(SPLITS)}, or nothing. Correct it, or name another --split-column."
        )
    return [splits[value] for value in frame[columns.split]]


def _require_classes(labels: Sequence[str], column: str) -> None:
    """Refuse labels that are quantities, names of single images or lists."""
    different = set(labels)
    numbers = [number_of(label) for label in different]
    fractions = [number for number in numbers if number is not None and not number.is_integer()]
    is_long = len(different) > 2 and len(different) > _MANY_LABELS * len(labels)
    if None not in numbers and ((fractions and len(different) > _MANY_FRACTIONS) or is_long):
        problem = f"{len(different):,} different numbers for {len(labels):,} images: a quantity, no classes"
    elif is_long:
        problem = f"{len(different):,} different labels for {len(labels):,} images: no classes"
    elif lists := [label for label in different if _is_list(label, different)]:
        problem = f"several classes for one image (multi-label), such as {min(lists)}"
    else:
        return
    raise DataError(f"column '{column}' holds {problem}. {_ONE_CLASS}")


def _is_list(label: str, others: set[str]) -> bool:
    parts = _LIST_SIGNS.split(label)
    return label.startswith(("[", "{")) or (len(parts) > 1 and others.issuperset(parts))
