"""Several models on several data sets: trained on one, tested on the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from tuner.cli.evaluation_request import class_maps
from tuner.cli.output import Format, note, say, show, stdout
from tuner.cli.progress import progress_bar, waiting
from tuner.data.shortcuts import shortcut_rows, shortcut_warnings, shortcuts
from tuner.errors import UsageError
from tuner.evaluation.evaluated_predictions import EvaluatedPredictions, evaluate_model
from tuner.evaluation.labelled_images import LabelledImages, Split, labelled_images
from tuner.evaluation.predictions import write_predictions
from tuner.models.loading import ModelFacts, load_model
from tuner.results.schema import EVALUATION_FILE, PREDICTIONS_FILE
from tuner.results.tables import rows_table, write_json, write_table
from tuner.statistics.headline import HEADLINE_COLUMNS, headline, headline_row

MATRIX_FILE = "matrix.csv"
MATRIX_COLUMNS = (
    "model",
    "data",
    "trained_on",
    "split",
    "images",
    "seen",
    *HEADLINE_COLUMNS,
    "accuracy_without_seen",
)


@dataclass(frozen=True)
class Cell:
    """One model on one data set, as the user calls them; `own`: it was trained on that data."""

    model: str
    data: str
    own: bool
    evaluation: dict[str, Any]
    judged: EvaluatedPredictions

    @property
    def row(self) -> dict[str, Any]:
        """The values of MATRIX_COLUMNS."""
        return {
            "model": self.model,
            "data": self.data,
            "trained_on": self.own,
            "split": self.evaluation["split"],
            "images": self.evaluation["images"],
            "seen": self.evaluation["seen_in_training"],
            **headline_row(headline(self.evaluation)),
            "accuracy_without_seen": self.evaluation.get("without_seen", {}).get("accuracy"),
        }


@dataclass(frozen=True)
class Request:
    """What is the same for each pair of a model and a data set."""

    split: Split | None
    pairs: Mapping[str, str]
    """Class of a data set -> class of a model, each for those that have them."""
    limit: int | None
    positive: str | None


def evaluate_all(models: Sequence[ModelFacts], sources: Sequence[str], request: Request) -> list[Cell]:
    """Judge each model on each data set, the data sets of a model one after the other.

    Raises:
        UsageError: a model or data set is named twice, or a pair of classes fits none of them.
    """
    for names in ([facts.name for facts in models], sources):
        for name in names:
            if list(names).count(name) > 1:
                raise UsageError(f"'{name}' is named twice. Needed: each model and data set once.")
    maps = class_maps(models, sources, request.pairs)
    warned: dict[str, list[dict[str, Any]]] = {}
    cells = []
    for facts in models:
        with waiting(f"loading {facts.name}"):
            trained = load_model(facts)
        for source in sources:
            with progress_bar("decoding images") as advance:
                images = labelled_images(
                    source, trained, request.split, maps[facts.name, source], request.limit, advance
                )
            _tell(facts.name, source, images)
            with waiting(f"{facts.name} on {source}: {len(images.indices):,} images"):
                judged = evaluate_model(trained, images).override(None, request.positive)
            if source not in warned:
                found = shortcuts(images.dataset)
                for warning in shortcut_warnings(images.dataset, found):
                    say(warning)
                warned[source] = shortcut_rows(found, warnings_only=True)
            evaluation = judged.evaluation()
            if warned[source]:
                evaluation["shortcuts"] = warned[source]
            cells.append(Cell(facts.name, source, images.own, evaluation, judged))
    return cells


def print_matrix(cells: Sequence[Cell], form: Format) -> None:
    """Print a table of accuracies and one of AUROCs, models down and data sets across; or a row a cell."""
    if form != "table":
        show(rows_table((cell.row for cell in cells), MATRIX_COLUMNS), form)
        return
    console = stdout()
    for number, (title, figure) in enumerate((("Accuracy", "accuracy"), ("AUROC", "auroc"))):
        if number:
            console.print()
        console.print(_table(title, cells, figure))
    if any(cell.own for cell in cells):
        console.print(Text("* the data that the model was trained on", "dim"))


def files_of(models: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Return the paths, within a folder, of what `write_matrix` writes there."""
    return [
        MATRIX_FILE,
        *(f"{folder}/{name}" for folder in _folders(models, sources) for name in _CELL_FILES),
    ]


def write_matrix(out: Path, cells: Sequence[Cell]) -> None:
    """Write matrix.csv, and of each cell the evaluation and the predictions in a folder of their own."""
    models, sources = (
        list(dict.fromkeys(names)) for names in ([c.model for c in cells], [c.data for c in cells])
    )
    for folder, cell in zip(_folders(models, sources), cells, strict=True):
        write_predictions(out / folder / PREDICTIONS_FILE, cell.judged.predictions)
        write_json(out / folder / EVALUATION_FILE, cell.evaluation)
    write_table(out / MATRIX_FILE, rows_table((cell.row for cell in cells), MATRIX_COLUMNS))
    say(f"Written    {out / MATRIX_FILE}; {', '.join(_CELL_FILES)} in a folder for each of {len(cells)}")


_CELL_FILES = (EVALUATION_FILE, PREDICTIONS_FILE)


def _folders(models: Sequence[str], sources: Sequence[str]) -> Iterator[str]:
    """A folder for each pair; the number keeps apart what is called alike."""
    pairs = [(model, source) for model in models for source in sources]
    for number, names in enumerate(pairs, start=1):
        model, source = (re.sub("[^A-Za-z0-9]+", "-", Path(name).stem).strip("-") for name in names)
        yield f"{number}-{model}-on-{source}"


def _tell(name: str, source: str, images: LabelledImages) -> None:
    note(f"Images     {name} on {source}: {len(images.indices):,}, {images.why}")
    if images.seen:
        say(
            f"Warning: {images.seen:,} of {len(images.indices):,} images of {source} were in the training or "
            f"validation of {name}; such figures say nothing about new images."
        )


def _table(title: str, cells: Sequence[Cell], figure: str) -> Table:
    table = Table(
        box=None, pad_edge=False, header_style="dim", title=title, title_justify="left", title_style="bold"
    )
    table.add_column("model \\ data", overflow="fold")
    sources = list(dict.fromkeys(cell.data for cell in cells))
    short = [Path(source).name for source in sources]
    for name in short if len(set(short)) == len(short) else sources:
        table.add_column(Text(name), justify="right", overflow="fold")
    for model in dict.fromkeys(cell.model for cell in cells):
        table.add_row(Text(model), *(_shown(cell, figure) for cell in cells if cell.model == model))
    return table


def _shown(cell: Cell, figure: str) -> Text:
    row = cell.row
    value, low, high = (row[name] for name in (figure, f"{figure}_low_95", f"{figure}_high_95"))
    if value is None:
        return Text("-")
    digits = ".1%" if figure == "accuracy" else ".3f"
    bounds = "" if low is None else f"  [{low:{digits}}, {high:{digits}}]"
    return Text.assemble((f"{value:{digits}}", "bold"), (bounds, "dim"), "*" if cell.own else " ")
