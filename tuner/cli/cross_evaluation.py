"""Several models on several data sets: trained on one, tested on the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from tuner.cli.evaluation_view import SHORT, bounds, figures_table, short_figure
from tuner.cli.output import Format, say, show, stdout
from tuner.cli.terminal import Text
from tuner.evaluation.model_evaluation import WRITTEN_FILES, ModelEvaluation
from tuner.results.tables import rows_table, write_table
from tuner.statistics.headline import headline, headline_row

MATRIX_FILE = "matrix.csv"


def print_matrix(cells: Sequence[ModelEvaluation], form: Format) -> None:
    """Print a table of accuracies and one of AUROCs, models down and data sets across; or a row a cell."""
    if form != "table":
        show(rows_table(map(_row, cells)), form)
        return
    console = stdout()
    console.print(_table("Accuracy", cells, "accuracy"))
    console.print()
    console.print(_table("AUROC", cells, "auroc"))
    if any(map(_own, cells)):
        console.print(Text("* the data that the model was trained on", "dim"))
    for cell in cells:
        if verdict := cell.evaluation["verdict"]:
            console.print(Text(f"{cell.name} on {cell.source}: {verdict}", "yellow"))


def matrix_files(models: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Return the paths, within a folder, of what `write_matrix` writes there."""
    pairs = [(model, source) for model in models for source in sources]
    return [MATRIX_FILE, *(f"{folder}/{name}" for folder in _folders(pairs) for name in WRITTEN_FILES)]


def write_matrix(out: Path, cells: Sequence[ModelEvaluation]) -> None:
    """Write matrix.csv, and of each cell WRITTEN_FILES in a folder of their own."""
    for folder, cell in zip(_folders([(cell.name, cell.source) for cell in cells]), cells, strict=True):
        cell.write(out / folder)
    write_table(out / MATRIX_FILE, rows_table(map(_row, cells)))
    say(f"Written    {out / MATRIX_FILE}; {', '.join(WRITTEN_FILES)} in a folder for each of {len(cells)}")


def _folders(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A folder for each pair of model and data; the number keeps apart what is called alike."""
    for number, names in enumerate(pairs, start=1):
        model, source = (re.sub("[^A-Za-z0-9]+", "-", Path(name).stem).strip("-") for name in names)
        yield f"{number}-{model}-on-{source}"


def _own(cell: ModelEvaluation) -> bool:
    """Whether the model was trained on the data."""
    return cell.images is not None and cell.images.own


def _row(cell: ModelEvaluation) -> dict[str, Any]:
    """The row of a cell in matrix.csv."""
    return {
        "model": cell.name,
        "data": cell.source,
        "trained_on": _own(cell),
        "split": cell.evaluation["split"],
        "images": cell.evaluation["images"],
        "seen": cell.evaluation["seen_in_training"],
        **headline_row(headline(cell.evaluation)),
        "accuracy_without_seen": cell.evaluation.get("without_seen", {}).get("accuracy"),
    }


def _table(title: str, cells: Sequence[ModelEvaluation], figure: str) -> Table:
    sources = list(dict.fromkeys(cell.source for cell in cells))
    short = [Path(source).name for source in sources]
    names = short if len(set(short)) == len(short) else sources
    table = figures_table("model \\ data", *names, title=title, overflow="fold")
    for model in dict.fromkeys(cell.name for cell in cells):
        table.add_row(Text(model), *(_shown(cell, figure) for cell in cells if cell.name == model))
    return table


def _shown(cell: ModelEvaluation, figure: str) -> Text:
    figures = headline(cell.evaluation)
    if figures[figure] is None:
        return Text("-")
    interval = f"  {bounds(figures, figure, SHORT[figure])}"
    return Text.assemble(
        (short_figure(figures, figure), "bold"), (interval, "dim"), "*" if _own(cell) else " "
    )
