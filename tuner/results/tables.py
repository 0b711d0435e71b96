"""The tables and JSON files that people open, replaced whole so that a reader never sees a part."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import UsageError
from tuner.files import replace_text, replacing
from tuner.results.schema import (
    EPOCH_DTYPES,
    HP_PREFIX,
    TRIAL_COLUMNS,
    TRIAL_DTYPES,
    VALUE_DTYPES,
    EpochRecord,
    TrialRecord,
)

if TYPE_CHECKING:
    import pandas as pd

# A large run has millions of rows in epochs.csv, of which this many are in memory at once.
_ROWS_AT_ONCE = 50_000
# The place before a text that a spreadsheet takes for a formula, and the apostrophe that was put there. A
# text with apostrophes before such a character has one more: each is read back as it was.
_FORMULA = re.compile("^(?='*[=+\\-@\t\r\n＝＋－＠])")
_NO_FORMULA = re.compile(f"^'{_FORMULA.pattern[1:]}")


def rows_table(rows: Iterable[Any], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return mappings, dataclasses or tuples as a table whose values keep their Python types.

    Args:
        columns: The columns to keep, in this order; default: all. A value that a row lacks is missing.
    """
    import pandas as pd

    # As objects, which hold any text; those of type `str` hold none with a byte that is not UTF-8.
    names = None if columns is None else pd.Index(list(columns), dtype="object")
    return pd.DataFrame(list(rows), columns=names, dtype="object")


def trials_table(trials: Sequence[TrialRecord], objective: str) -> pd.DataFrame:
    """Return one row a trial: TRIAL_COLUMNS, the metrics of its best epoch, `hp.<name>`.

    The index is `trial_id`, text. Metrics of training come before those of validation, hyperparameters are in
    the order of the space. Hyperparameters of one type have the dtype in VALUE_DTYPES, others `object`.
    """
    import pandas as pd

    attributes = [name for name in TRIAL_COLUMNS if name != "objective"]
    facts = pd.DataFrame({name: [getattr(trial, name) for trial in trials] for name in attributes})
    facts = facts.assign(objective=objective).astype(TRIAL_DTYPES)
    metrics = pd.DataFrame([trial.metrics for trial in trials], dtype="float64")
    names = sorted(metrics.columns, key=lambda name: (name.startswith("val_"), name))
    values = pd.DataFrame([trial.values for trial in trials], dtype="object").add_prefix(HP_PREFIX)
    kinds = {name: pd.api.types.infer_dtype(values[name]) for name in values}
    values = values.astype({name: VALUE_DTYPES.get(kind, "object") for name, kind in kinds.items()})
    whole = pd.concat([facts[list(TRIAL_COLUMNS)], metrics[names], values], axis="columns")
    return whole.set_index("trial_id")


def epochs_table(epochs: Iterable[EpochRecord]) -> pd.DataFrame:
    """Return one row a metric of an epoch: the columns of EPOCH_DTYPES."""
    import pandas as pd

    return pd.DataFrame.from_records(list(epochs), columns=list(EPOCH_DTYPES)).astype(EPOCH_DTYPES)


def write_trials(path: Path, trials: Sequence[TrialRecord], objective: str) -> None:
    """Replace trials.csv."""
    write_table(path, trials_table(trials, objective).reset_index())


def write_epochs(path: Path, epochs: Iterable[EpochRecord]) -> None:
    """Replace epochs.csv, a part of the rows after the other."""
    records = iter(epochs)
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_text(epochs_table([])))
        while part := list(islice(records, _ROWS_AT_ONCE)):
            file.write(csv_text(epochs_table(part), header=False))


def csv_text(frame: pd.DataFrame, header: bool = True) -> str:
    """Return a table as CSV, without its index; a missing value stays empty.

    A text that a spreadsheet would take for a formula, in a cell or the header, has an apostrophe before it,
    which `read_table` takes away.

    Source: OWASP, CSV Injection.
    """
    rows = _Rows()
    _replaced(frame, _FORMULA, "'").to_csv(rows, index=False, header=header, lineterminator="\r\n")
    return rows.getvalue()


class _Rows(io.StringIO):
    """Rows of CSV as they are written, each ending in one character.

    The library quotes a cell for the characters that its rows end in, and both of them end a row for readers.
    """

    def __init__(self) -> None:
        super().__init__(newline="")

    def write(self, row: str, /) -> int:
        return super().write(row.removesuffix("\r\n") + "\n")


def _replaced(frame: pd.DataFrame, pattern: re.Pattern[str], text: str) -> pd.DataFrame:
    """Return a table with `text` for the part of its texts and names of columns that matches."""
    import pandas as pd

    names = [pattern.sub(text, name) if isinstance(name, str) else name for name in frame.columns]
    whole = frame.set_axis(pd.Index(names, dtype="object"), axis="columns")
    for position, (_, column) in enumerate(frame.items()):
        # Most columns have no such text, or few different ones.
        if any(isinstance(value, str) and pattern.match(value) for value in column.unique()):
            # As a Series, whose type stays.
            whole.isetitem(position, column.replace(pattern, text, regex=True))  # type: ignore[arg-type]
    return whole


def parquet(frame: pd.DataFrame) -> bytes:
    """Return a table as Parquet, without its index; values of several types in a column become text.

    Raises:
        UsageError: pyarrow is not installed.
    """
    import pandas as pd

    typed = frame.convert_dtypes()
    mixed = [name for name in typed if pd.api.types.infer_dtype(typed[name]).startswith("mixed")]
    try:
        whole: bytes = typed.astype(dict.fromkeys(mixed, "string")).to_parquet(index=False)
    except ImportError:
        raise UsageError(
            "--format parquet needs pyarrow, which is not installed. Type: pip install 'kt-search[parquet]', "
            "or choose csv."
        ) from None
    return whole


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Replace a CSV file.

    Raises:
        StorageError: the file cannot be written; it is as it was before.
    """
    replace_text(path, csv_text(frame))


def read_table(path: Path, wanted: str) -> pd.DataFrame:
    """Return the cells of a CSV file as text, empty ones as "", without the apostrophes of `csv_text`.

    The index is the number of the row in a spreadsheet, which shows the header in row 1.

    Args:
        wanted: The file to give instead of one that cannot be read.

    Raises:
        UsageError: the file cannot be read, is not UTF-8, or a row has more cells than the header.
    """
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # As rows, so that the header sets the number of cells.
            rows = pd.read_csv(file, header=None, dtype="str", keep_default_na=False)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}. Give {wanted}.") from None
    except ValueError as error:
        reason = str(error).strip()
        raise UsageError(f"'{path}' is not a CSV table in UTF-8: {reason}. Give {wanted}.") from None
    rows.index += 1
    rows = _replaced(rows, _NO_FORMULA, "")
    frame = rows.iloc[1:].set_axis(rows.iloc[0], axis="columns")
    return frame.loc[:, ~frame.columns.duplicated(keep="last")]


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with values of Python's own types, as JSON takes them; a missing value is None."""
    return frame.astype("object").where(frame.notna(), None)


def json_text(value: Any, indent: str = "") -> str:
    """Return JSON for people: an object or a list of lists over several lines, a list of values on one.

    So a matrix of many classes is a line a row, and takes a fiftieth of the time.

    Raises:
        ValueError: a number is not finite, and so is no JSON.
    """
    inside = f"{indent}  "
    if isinstance(value, dict) and value:
        keys = (json.dumps(str(key), ensure_ascii=False) for key in value)
        parts = [f"{key}: {json_text(each, inside)}" for key, each in zip(keys, value.values(), strict=True)]
        left, right = "{}"
    elif isinstance(value, list | tuple) and any(isinstance(each, dict | list | tuple) for each in value):
        parts = [json_text(each, inside) for each in value]
        left, right = "[]"
    else:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return left + ",".join(f"\n{inside}{part}" for part in parts) + f"\n{indent}{right}"


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file; numbers that are not finite are refused rather than written as no JSON."""
    replace_text(path, json_text(value) + "\n")
