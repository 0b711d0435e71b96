"""Files that hold tables, read as columns of text: .csv, .tsv, .json, .jsonl and .parquet."""

from __future__ import annotations

import json
import warnings
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from tuner.errors import one_line
from tuner.path_names import printable
from tuner.sources.file_kinds import IMAGE_SUFFIXES, TABLE_SUFFIXES, suffix_of

if TYPE_CHECKING:
    import pandas as pd

MAX_TABLE_BYTES = 512 * 2**20
"""Size of the largest table that is read, in bytes: a bound on memory."""
PARQUET_EXTRA = "pip install kt-search[parquet]"
NO_VALUE = ""
"""Text of an empty cell."""

_SEPARATORS = ",;\t|"
_KEY = "file_name"
"""Name of the column of a JSON object whose keys are the files."""


class TableError(Exception):
    """A file that is no table. The message is the reason, without the name of the file."""


def is_table(path: str) -> bool:
    """Tell a table by the suffix of its name."""
    return suffix_of(path) in TABLE_SUFFIXES


def read_table(data: bytes, path: str) -> pd.DataFrame:
    """Return the columns of a table as text, NO_VALUE where a cell is empty.

    Args:
        data: Content of the file.
        path: Of the file; its suffix tells the format.

    Raises:
        TableError: it is no table.
    """
    suffix = suffix_of(path)
    if suffix == "parquet":
        frame = _parquet(data)
    elif suffix in ("json", "jsonl"):
        frame = _json(data)
    else:
        frame = _separated(data)
    if frame.empty:
        raise TableError("it has no rows")
    return frame


def as_text(value: Any) -> str:
    """Return a cell as text: whole numbers without a point, NO_VALUE for none."""
    if isinstance(value, str):
        return printable(value.strip())
    if value is None or value != value:
        return NO_VALUE
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return printable(str(value))


def text_frame(columns: dict[str, list[Any]]) -> pd.DataFrame:
    """Return a table of text made of columns of any values."""
    import pandas as pd

    return pd.DataFrame(
        {
            printable(str(name).strip()): pd.Series(list(map(as_text, values)), dtype=object)
            for name, values in columns.items()
        }
    )


def _separated(data: bytes) -> pd.DataFrame:
    import pandas as pd

    text = _decoded(data)
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=head.count)
    cells = [cell.strip().strip("\"'") for cell in head.split(separator)]
    has_header = not any(suffix_of(cell) in IMAGE_SUFFIXES for cell in cells)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Text throughout: 007 and NA are labels and names of files as they stand.
            frame = pd.read_csv(
                StringIO(text),
                sep=separator,
                header=0 if has_header else None,
                dtype=str,
                na_filter=False,
                index_col=False,
                skipinitialspace=True,
            )
    except pd.errors.ParserWarning:
        raise TableError("its rows have more cells than its header") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise TableError(one_line(error)) from None
    if not has_header:
        frame.columns = pd.Index([f"column {number}" for number in range(1, len(frame.columns) + 1)])
    return text_frame({str(name): frame[name].tolist() for name in frame.columns})


def _decoded(data: bytes) -> str:
    """Return text of UTF-8, of UTF-16 with its mark, or of Latin-1, in which any bytes are text."""
    has_mark = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if has_mark else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise TableError("it is no text")
    return text


def _json(data: bytes) -> pd.DataFrame:
    """Read a list of objects, an object a line, or an object of columns or of files."""
    text = _decoded(data)
    try:
        try:
            content = json.loads(text)
        except json.JSONDecodeError:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        raise TableError("it is no JSON, and not one JSON object a line") from None
    rows = _rows([content] if _is_single_row(content) else content)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return text_frame({name: [_scalar(row.get(name)) for row in rows] for name in names})


def _is_single_row(content: Any) -> bool:
    return isinstance(content, dict) and _KEY in content


def _rows(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return content
    if isinstance(content, dict) and content:
        values = list(content.values())
        if all(isinstance(value, (str, int, float)) for value in values) and not all(
            map(str.isdecimal, content)
        ):
            return [{_KEY: key, "label": value} for key, value in content.items()]
        if all(isinstance(value, list) for value in values) and len(set(map(len, values))) == 1:
            return [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)]
        if all(isinstance(value, dict) for value in values):
            if any(suffix_of(key) in IMAGE_SUFFIXES for key in content):
                return [{_KEY: key, **value} for key, value in content.items()]
            index = list(dict.fromkeys(key for value in values for key in value))
            return [{name: content[name].get(key) for name in content} for key in index]
    raise TableError("it is neither a list of objects nor an object of columns")


def _scalar(value: Any) -> Any:
    """Return a value, JSON text for a list or an object."""
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def _parquet(data: bytes) -> pd.DataFrame:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise TableError(f"reading it needs pyarrow ({PARQUET_EXTRA})") from None
    try:
        table = pq.read_table(BytesIO(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(one_line(error)) from None
    return text_frame({name: table[name].to_pylist() for name in table.column_names})
