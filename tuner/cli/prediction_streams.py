"""Rows of predictions as text, part by part, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len, set_cell_size

from tuner.evaluation.prediction import Prediction
from tuner.evaluation.predictions import PREFIX
from tuner.path_names import printable, visible_json
from tuner.results.tables import csv_text, rows_table

if TYPE_CHECKING:
    import pandas as pd

StreamFormat = Literal["table", "jsonl", "json", "csv"]
Parts = Iterable[list[Prediction]]

_MAX_COLUMNS = 8


def texts(parts: Parts, class_names: tuple[str, ...], form: StreamFormat) -> Iterator[str]:
    """Yield the text of each part as soon as it is there, with what comes before and after all of them.

    Columns are path, prediction, p.<class> for each class, error. All are in every row; what it lacks is
    empty, in JSON null. A table for people shows of more than eight classes the probability of the predicted
    one alone.
    """
    if form == "table":
        return _table(parts, class_names)
    frames = (_frame(part, class_names) for part in parts)
    if form == "csv":
        head = csv_text(_frame([], class_names))
        return chain([head], (csv_text(frame, header=False) for frame in frames))
    objects = (
        [visible_json(json.dumps(row, ensure_ascii=False)) for row in frame.to_dict("records")]
        for frame in frames
    )
    if form == "json":
        return _json(objects)
    return ("".join(f"{row}\n" for row in rows) for rows in objects)


def _frame(part: list[Prediction], class_names: tuple[str, ...]) -> pd.DataFrame:
    none = (None,) * len(class_names)
    rows = [(row.path, row.prediction, *(row.probabilities or none), row.error) for row in part]
    columns = ["path", "prediction", *(PREFIX + name for name in class_names), "error"]
    return rows_table(rows, columns)


def _object(row: dict[Any, Any]) -> str:
    return visible_json(json.dumps(row, ensure_ascii=False))


def _json(parts: Iterable[list[str]]) -> Iterator[str]:
    before = "[\n"
    for rows in parts:
        yield before + ",\n".join(rows)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _table(parts: Parts, class_names: tuple[str, ...]) -> Iterator[str]:
    """Columns are as wide as the paths so far need: those to come are not known."""
    every = len(class_names) <= _MAX_COLUMNS
    names = [PREFIX + name for name in class_names] if every else ["probability"]
    class_width = max(map(cell_len, ("prediction", *class_names)))
    path_width = len("path")
    head = True
    for part in parts:
        paths = [printable(row.path) for row in part]
        path_width = max(path_width, *map(cell_len, paths))
        lines = []
        if head:
            cells = [set_cell_size("path", path_width), set_cell_size("prediction", class_width), *names]
            lines.append("  ".join(cells))
            head = False
        for path, row in zip(paths, part, strict=True):
            start = f"{set_cell_size(path, path_width)}  "
            if row.probabilities is None:
                lines.append(f"{start}error: {row.error}")
                continue
            shown = row.probabilities if every else (max(row.probabilities),)
            numbers = (f"{p:>{max(6, cell_len(name))}.4f}" for p, name in zip(shown, names, strict=True))
            lines.append("  ".join([start + set_cell_size(row.prediction or "", class_width), *numbers]))
        yield "\n".join(lines) + "\n"
