"""The two streams: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from rich.table import Table

from tuner.cli.terminal import Console, Text, write
from tuner.errors import UsageError
from tuner.path_names import visible_json
from tuner.results.tables import csv_text, parquet, plain

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["table", "json", "csv", "parquet"]
# Hyperparameters that a line or a table for people has at most; a line says where all are.
MOST_VALUES = 20


def stdout() -> Console:
    """Console for data; as wide as a reader needs where there is no terminal."""
    console = Console(soft_wrap=False)
    return console if console.is_terminal else Console(width=max(console.width, 120))


@cache
def stderr() -> Console:
    """Console for progress, notes and errors; one, so that lines do not tear a live display."""
    return Console(stderr=True)


def loud_stderr() -> Console:
    """Console for what `--quiet` does not silence: errors, warnings, paths of written files."""
    return Console(stderr=True) if stderr().quiet else stderr()


def note(text: str) -> None:
    """One line on stderr, but for `--quiet`."""
    stderr().print(text, soft_wrap=True)


def say(text: str) -> None:
    """One line on stderr, with `--quiet` too."""
    loud_stderr().print(text, soft_wrap=True)


def set_quiet(quiet: bool) -> None:
    """Let notes, bars and waiting signs appear on stderr, or not."""
    stderr().quiet = quiet


def show(frame: pd.DataFrame, form: Format, sparse: bool = False) -> None:
    """Print a table for people, or whole and exact for programs; its index is not shown.

    Args:
        sparse: Rows of JSON lack the keys of missing values, which are null otherwise.

    Raises:
        UsageError: Parquet, which is bytes, has a terminal to go to, or pyarrow is not installed.
    """
    if form == "json":
        rows = plain(frame).to_dict("records")
        if sparse:
            rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
        write_json(json.dumps(rows, indent=2, ensure_ascii=False))
    elif form == "csv":
        write(csv_text(frame))
    elif form == "parquet":
        if sys.stdout.isatty():
            raise UsageError(
                "--format parquet is no text for a terminal. Write it to a file: ... > FILE.parquet"
            )
        sys.stdout.buffer.write(parquet(frame))
    else:
        stdout().print(make_table(frame))


def write_json(text: str) -> None:
    """Print JSON."""
    write(visible_json(text) + "\n")


def make_table(frame: pd.DataFrame) -> Table:
    """Lay a table out with right-aligned numbers; a missing value stays empty."""
    table = Table(box=None, pad_edge=False)
    rows = list(plain(frame).itertuples(index=False, name=None))
    for position, name in enumerate(frame.columns):
        numeric = any(isinstance(row[position], int | float) for row in rows)
        table.add_column(
            Text(name), justify="right" if numeric else "left", header_style="dim", overflow="fold"
        )
    for row in rows:
        # Names of classes and files are no markup: [ai] is a name.
        table.add_row(*(Text(format_value(value)) for value in row))
    return table


def fits(table: Table, console: Console) -> bool:
    """True if no line of a table has to be broken."""
    return console.measure(table, options=console.options.update(max_width=1000)).maximum <= console.width


def format_value(value: Any) -> str:
    """Text of one cell: four digits for fractions, thousands separated."""
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
    return str(value)


def format_values(values: dict[str, Any]) -> str:
    """A configuration on one line, as --include takes it but for digits of fractions; of many values some."""
    shown = (
        f"{name}={value if isinstance(value, int) else format_value(value)}"
        for name, value in islice(values.items(), MOST_VALUES)
    )
    more = len(values) - MOST_VALUES
    return " ".join([*shown, f"and {more} more"] if more > 0 else shown)


def format_seconds(seconds: float) -> str:
    """A duration for people: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
