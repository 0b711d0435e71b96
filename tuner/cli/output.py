"""The two streams: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.results.tables import csv_text

Format = Literal["table", "json", "csv"]
Row = dict[str, Any]


def stdout() -> Console:
    """Console for data; as wide as a reader needs where there is no terminal."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=max(console.width, 120))


@cache
def stderr() -> Console:
    """Console for progress, notes and errors; one, so that lines do not tear a live display."""
    return Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """One line on stderr."""
    stderr().print(text, markup=False, soft_wrap=True)


def print_rows(columns: Sequence[str], rows: Sequence[Row], form: Format) -> None:
    """Print rows as a table for people, or whole and exact as JSON or CSV."""
    if form == "json":
        sys.stdout.write(json.dumps(list(rows), indent=2, ensure_ascii=False) + "\n")
    elif form == "csv":
        sys.stdout.write(csv_text(columns, rows))
    else:
        stdout().print(make_table(columns, rows))


def make_table(columns: Sequence[str], rows: Sequence[Row]) -> Table:
    """Lay rows out with right-aligned numbers; a missing value stays empty."""
    table = Table(box=None, pad_edge=False)
    for name in columns:
        numeric = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(
            Text(name), justify="right" if numeric else "left", header_style="dim", overflow="fold"
        )
    for row in rows:
        # Names of classes and files are no markup: [ai] is a name.
        table.add_row(*(Text(format_value(row.get(name))) for name in columns))
    return table


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
    """A configuration on one line, as --include takes it but for digits of fractions."""
    return " ".join(
        f"{name}={value if isinstance(value, int) else format_value(value)}" for name, value in values.items()
    )


def format_seconds(seconds: float) -> str:
    """A duration for people: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
