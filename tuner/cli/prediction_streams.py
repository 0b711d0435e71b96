"""Rows of predictions as text, part by part, however many there are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Literal

from rich.cells import cell_len

from tuner.evaluation.prediction import Prediction
from tuner.evaluation.predictions import PREFIX
from tuner.results.tables import csv_text

StreamFormat = Literal["table", "jsonl", "json", "csv"]
Parts = Iterable[list[Prediction]]

_MAX_COLUMNS = 8


def texts(parts: Parts, class_names: tuple[str, ...], form: StreamFormat) -> Iterator[str]:
    """Yield the text of each part as soon as it is there, with what comes before and after all of them.

    Columns are path, prediction, p.<class> for each class, error. All are in every row; what it lacks is
    empty, in JSON null. A table for people shows of more than eight classes the probability of the predicted
    one alone.
    """
    columns = ["path", "prediction", *(PREFIX + name for name in class_names), "error"]
    if form == "csv":
        return _csv(parts, columns)
    if form == "jsonl":
        return _json_lines(parts, columns)
    if form == "json":
        return _json(parts, columns)
    return _table(parts, class_names)


def _values(row: Prediction, num_classes: int) -> tuple[str | float | None, ...]:
    return (row.path, row.prediction, *(row.probabilities or (None,) * num_classes), row.error)


def _csv(parts: Parts, columns: list[str]) -> Iterator[str]:
    yield csv_text(columns, ())
    for part in parts:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(_values(row, len(columns) - 3) for row in part)
        yield text.getvalue()


def _objects(part: list[Prediction], columns: list[str]) -> list[str]:
    rows = (dict(zip(columns, _values(row, len(columns) - 3), strict=True)) for row in part)
    return [json.dumps(row, ensure_ascii=False) for row in rows]


def _json_lines(parts: Parts, columns: list[str]) -> Iterator[str]:
    for part in parts:
        yield "".join([f"{text}\n" for text in _objects(part, columns)])


def _json(parts: Parts, columns: list[str]) -> Iterator[str]:
    before = "[\n"
    for part in parts:
        yield before + ",\n".join(_objects(part, columns))
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
        path_width = max(path_width, *(cell_len(row.path) for row in part))
        lines = []
        if head:
            cells = [_padded("path", path_width), _padded("prediction", class_width), *names]
            lines.append("  ".join(cells))
            head = False
        for row in part:
            start = f"{_padded(row.path, path_width)}  "
            if row.probabilities is None:
                lines.append(f"{start}error: {row.error}")
                continue
            shown = row.probabilities if every else (max(row.probabilities),)
            numbers = (f"{p:>{max(6, cell_len(name))}.4f}" for p, name in zip(shown, names, strict=True))
            lines.append("  ".join([start + _padded(row.prediction or "", class_width), *numbers]))
        yield "\n".join(lines) + "\n"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
