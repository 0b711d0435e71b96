"""The columns of a table that hold the image files, their classes, splits and groups."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from tuner.data_options import SPLITS, DataOptions
from tuner.errors import DataError, did_you_mean
from tuner.option_fields import option_name
from tuner.sources.file_index import AMBIGUOUS, FileIndex
from tuner.sources.split_names import split_of
from tuner.sources.table_files import NO_VALUE

if TYPE_CHECKING:
    import pandas as pd

COLUMN_FIELDS = ("path_column", "label_column", "split_column", "group_column")
"""Options that name columns."""
LABEL_NAMES = (
    *("label", "labels", "class", "classname", "classlabel", "classes", "category", "target", "y"),
    *("diagnosis", "dx", "breed", "species", "emotion", "disease", "tag"),
    *("finelabel", "labelname", "classid", "categoryname"),
)
"""Names of columns of classes in lower case without signs, the first of them first."""
_LABEL_WORDS = frozenset(("label", "labels", "class", "category", "target"))
_PATH_WORDS = frozenset(
    ("path", "file", "filename", "filepath", "image", "images", "img", "id", "name", "fname", "pic", "photo")
)
# A quantity or a property of the file: never classes unless the user says so.
_NO_LABEL_WORDS = frozenset(
    (
        *("width", "height", "size", "area", "bytes", "channels", "mode", "format", "date", "time", "year"),
        *("url", "link", "license", "licence", "hash", "md5", "sha256", "index", "unnamed", "lat", "lon"),
        *("xmin", "ymin", "xmax", "ymax", "bbox", "age", "score"),
        *("split", "fold", "partition", "set", "subset", "usage"),
    )
)
_WORD = re.compile("[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+[0-9]*|[A-Z]+[0-9]*")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")
TRUE = frozenset(("1", "1.0", "true"))
"""Marks of the class of an image in columns of 0 and 1, in lower case."""
_BINARY = TRUE | {"0", "0.0", "false"}
_SAMPLED_ROWS = 500
_LEAST_SHARE = 0.2
"""Of the rows that can have a file at most, those that must have one."""
_MOST_NUMBERS = 50
"""Most different whole numbers that are classes where the name of their column says nothing."""


class NoLabelTableError(Exception):
    """A table that is no table of labels. The message is the reason."""


class Columns(NamedTuple):
    """Names of columns, None where a table has none of the kind."""

    path: str
    label: str | None = None
    one_hot: tuple[str, ...] = ()
    """Columns of 0 and 1, one a class, in place of `label`."""
    split: str | None = None
    group: str | None = None
    named: bool = False
    """Whether the name of `label` says that it holds classes, or the user."""

    @property
    def has_labels(self) -> bool:
        return self.label is not None or bool(self.one_hot)


def find_columns(frame: pd.DataFrame, files: FileIndex, num_files: int, options: DataOptions) -> Columns:
    """Return the columns of a table by the user's wishes, their names and their content.

    Args:
        frame: The table, as text.
        files: The images.
        num_files: Number of the images.
        options: The names that the user gives.

    Raises:
        NoLabelTableError: no column names the images, or the table lacks a column that the user names.
        DataError: several columns may hold the classes.
    """
    wished = {field: _wished(frame, getattr(options, field)) for field in COLUMN_FIELDS}
    path = wished["path_column"] or _path_column(frame, files, num_files, set(wished.values()))
    group, label = wished["group_column"], wished["label_column"]
    split = wished["split_column"] or _split_column(frame, {path, group, label})
    if label:
        return Columns(path, label, (), split, group, named=True)
    rest = [name for name in map(str, frame.columns) if name not in (path, split, group) and words_of(name)]
    label, one_hot, named = _label_columns(frame, rest)
    return Columns(path, label, one_hot, split, group, named)


def words_of(name: str) -> list[str]:
    """Return the words in the name of a column, in lower case."""
    return [word.lower() for word in _WORD.findall(name)]


def require_columns(frames: Collection[pd.DataFrame], options: DataOptions, where: str) -> None:
    """Refuse a column that the user names and no table has.

    Raises:
        DataError: the message names the columns that there are.
    """
    known = list(dict.fromkeys(str(name) for frame in frames for name in frame.columns))
    for field in COLUMN_FIELDS:
        wish = getattr(options, field)
        if wish is not None and all(_column(frame, wish) is None for frame in frames):
            raise DataError(
                f"{where}: no column '{wish}' ({option_name(field)}).{did_you_mean(wish, known)} "
                f"Columns: {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}. Name one of them."
            )


def _wished(frame: pd.DataFrame, name: str | None) -> str | None:
    if name is None:
        return None
    found = _column(frame, name)
    if found is None:
        raise NoLabelTableError(f"it has no column '{name}'")
    return found


def _column(frame: pd.DataFrame, name: str) -> str | None:
    """Return the column of this name, in any letter case where there is none in the same."""
    names = list(map(str, frame.columns))
    if name in names:
        return name
    return next((each for each in names if each.lower() == name.strip().lower()), None)


def _path_column(frame: pd.DataFrame, files: FileIndex, num_files: int, taken: Collection[str | None]) -> str:
    """Return the column whose values name most images; of several such, the one with the plainest name."""
    sample = frame.iloc[:: max(1, len(frame) // _SAMPLED_ROWS)]
    most = len(sample) * min(1.0, num_files / len(frame))
    best, best_rank = None, (0, 0, 0)
    for name in map(str, frame.columns):
        if name in taken:
            continue
        values = [value for value in sample[name] if value != NO_VALUE]
        found = [match for value in values if (match := files.find(value))]
        if all(value.isdecimal() for value in values) and not _PATH_WORDS & set(words_of(name)):
            continue  # an age or a class is the number of a file by chance
        different = len({match.place for match in found} - {AMBIGUOUS})
        number = max(different, sum(match.place == AMBIGUOUS for match in found))
        rank = (number, sum(match.strength[0] for match in found), bool(_PATH_WORDS & set(words_of(name))))
        if number >= max(1, _LEAST_SHARE * most) and rank > best_rank:
            best, best_rank = name, rank
    if best is None:
        first = ", ".join(map(str, frame.iloc[0][:5]))
        raise NoLabelTableError(f"no column of it names the images, as its first row shows: {first}")
    return best


def _split_column(frame: pd.DataFrame, taken: Collection[str | None]) -> str | None:
    """Return the column that holds names of splits alone."""
    for name in map(str, frame.columns):
        values = set(frame[name].unique()) - {NO_VALUE}
        if name not in taken and values and len(values) <= 2 * len(SPLITS) and all(map(split_of, values)):
            return name
    return None


def _label_columns(frame: pd.DataFrame, names: list[str]) -> tuple[str | None, tuple[str, ...], bool]:
    """Return the column of classes or the columns of 0 and 1, and whether a name says so."""
    plain = {name: re.sub("[^a-z]", "", name.lower()) for name in names}
    # Beside x, a column y is a place in the image.
    wanted = [name for name in LABEL_NAMES if name != "y" or "x" not in plain.values()]
    exact = [name for word in wanted for name in names if plain[name] == word]
    if exact:
        return _readable(frame, exact, names), (), True
    possible = [name for name in names if not _NO_LABEL_WORDS & set(words_of(name))]
    binary = [name for name in possible if _is_binary(frame[name])]
    if len(binary) > 1:
        return None, tuple(binary), False
    if worded := [name for name in possible if _LABEL_WORDS & set(words_of(name))]:
        return _readable(frame, worded, names), (), True
    return _by_content(frame, possible), (), False


def _readable(frame: pd.DataFrame, candidates: list[str], names: list[str]) -> str:
    """Return the first candidate, or a column of names in place of numbers for the same classes."""
    first = candidates[0]
    if not _is_numeric(frame[first]):
        return first
    for name in (name for name in names if _LABEL_WORDS & set(words_of(name)) or name in candidates):
        if not _is_numeric(frame[name]) and _is_same_partition(frame, first, name):
            return name
    return first


def _by_content(frame: pd.DataFrame, names: list[str]) -> str | None:
    different = {name: frame[name].nunique() for name in names}
    if len(names) == 1:
        return names[0] if different[names[0]] > 1 else None
    repeated = [name for name in names if 1 < different[name] <= len(frame) / 2]
    texts = [name for name in repeated if not _is_numeric(frame[name])]
    numbers = [name for name in repeated if name not in texts and different[name] <= _MOST_NUMBERS]
    candidates = texts or numbers
    if len(candidates) > 1:
        raise DataError(
            f"several columns may hold the classes: {', '.join(candidates[:10])}. "
            f"Name one with --label-column."
        )
    return candidates[0] if candidates else None


def _is_same_partition(frame: pd.DataFrame, one: str, other: str) -> bool:
    return len(frame[[one, other]].drop_duplicates()) == frame[one].nunique() == frame[other].nunique()


def _is_numeric(column: pd.Series[str]) -> bool:
    return all(number_of(value) is not None for value in column.unique() if value != NO_VALUE)


def _is_binary(column: pd.Series[str]) -> bool:
    return all(value.lower() in _BINARY for value in column.unique())


def number_of(text: str) -> float | None:
    """Return the number that a text is, None for other text."""
    # Not as Python reads it: 1_0 and inf are names.
    return float(text) if _NUMBER.fullmatch(text) else None
