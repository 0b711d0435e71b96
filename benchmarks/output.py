"""What a benchmark prints and writes: figures as text and as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as lines with columns aligned: the first to the left, figures to the right."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def shown(cell: object) -> str:
    """Return a figure with three or four digits that count; None is a dash."""
    if cell is None:
        return "-"
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.3f}"


def output_file(text: str) -> Path:
    """Return the path of a file that can be written, before hours are spent on what goes into it."""
    path = Path(text)
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"'{text}' lies in no folder that there is: make '{path.parent}' first"
        )
    return path


def put_out(result: Mapping[str, Any], path: Path | None) -> None:
    """Write a result as JSON to a file, or to stdout where none is given."""
    text = json.dumps(result, indent=1)
    if path is None:
        print(text)
    else:
        path.write_text(f"{text}\n", encoding="utf-8")
