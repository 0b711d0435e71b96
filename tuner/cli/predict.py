"""`tuner predict`: a class and its probability for each of any number of images."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn

from tuner.cli.options import DEFAULT_RESULTS_DIR, QuietOption, ResultsDirOption, TrustOption
from tuner.cli.output import format_seconds, note, stderr
from tuner.cli.prediction_streams import StreamFormat, texts
from tuner.cli.progress import waiting
from tuner.cli.terminal import Text, write
from tuner.data.image_paths import STDIN, InputImages
from tuner.errors import TunerError
from tuner.evaluation.prediction import DecisionRule, Prediction, decision_rule, predict_images
from tuner.models.loading import describe_model, load_model
from tuner.path_names import printable
from tuner.statistics.thresholds import DEFAULT_THRESHOLD
from tuner.units import counted

MODEL = typer.Argument(help="An exported model, or a run: its winner.", show_default=False)
PATHS = typer.Argument(
    help=f"Images, folders, archives, .npz arrays, quoted patterns; {STDIN} reads paths, one a line.",
    show_default=False,
)
THRESHOLD = "On the positive class, 0 to 1; default: as chosen on validation after the search, else 0.5."
CALIBRATED = "Show calibrated probabilities; default: the model's own, as in predictions.csv."
CLASSES = "Names of the model's outputs, as A,B,..., for a file without its .json."
FORMAT = "How to print the rows: jsonl is an object a line, json one list."


def predict(
    model: Annotated[str, MODEL],
    paths: Annotated[list[str], PATHS],
    threshold: Annotated[float | None, typer.Option(help=THRESHOLD, show_default=False)] = None,
    calibrated: Annotated[bool, typer.Option("--calibrated", help=CALIBRATED)] = False,
    classes: Annotated[str | None, typer.Option(help=CLASSES, show_default=False)] = None,
    trust: TrustOption = False,
    form: Annotated[StreamFormat, typer.Option("--format", help=FORMAT)] = "table",
    _quiet: QuietOption = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Predict the class of images: a row for each, in their order; one that cannot be read has an error."""
    facts = describe_model(model, results_dir, tuple(classes.split(",")) if classes else ())
    rule = decision_rule(facts, threshold, calibrated)
    images = InputImages(paths, _lines(), facts.pixel_range)
    for text in images.notes:
        note(f"Images     {text}")
    with waiting(f"loading {facts.name}"):
        trained = load_model(facts, trust)
    if trained.note:
        note(trained.note)
    _tell(rule)
    tally = _Tally()
    with _writer(images) as write, closing(predict_images(trained, images, rule)) as parts:
        for text in texts(tally.watch(parts), rule.class_names, form):
            write(text, tally.images)
    tally.require_some()
    note(tally.summary())


def _lines() -> Iterator[str]:
    """Paths on standard input, whatever bytes are in them; empty lines stand for nothing."""
    for line in sys.stdin.buffer:
        if path := os.fsdecode(line.rstrip(b"\r\n")):
            yield path


def _tell(rule: DecisionRule) -> None:
    """By what rule probabilities become classes, where there is one to choose."""
    if len(rule.class_names) == 2:
        if rule.threshold is None:
            note(f"Threshold  {DEFAULT_THRESHOLD}: none was chosen on validation images for this model")
        else:
            by = "chosen on validation" if rule.source == "validation" else rule.source
            note(f"Threshold  {rule.threshold:.4f} on p.{rule.positive}, {by}")
    if rule.temperature is not None:
        note(f"Calibrated at temperature {rule.temperature:.3f}, fitted on validation")


class _Tally:
    """Counts predictions and errors as they go by."""

    def __init__(self) -> None:
        self._counts: Counter[str | None] = Counter()
        self._first_error: Prediction | None = None
        self._start = time.monotonic()

    @property
    def images(self) -> int:
        """Number of images so far."""
        return self._counts.total()

    def watch(self, parts: Iterable[list[Prediction]]) -> Iterator[list[Prediction]]:
        for part in parts:
            self._counts.update(row.prediction for row in part)
            errors = (row for row in part if row.error is not None)
            self._first_error = self._first_error or next(errors, None)
            yield part

    def require_some(self) -> None:
        """Raise TunerError where there is no prediction at all."""
        if not self.images:
            raise TunerError("standard input named no images. Needed: their paths, one a line.")
        if self._first_error is not None and set(self._counts) == {None}:
            path, *_, reason = self._first_error
            raise TunerError(
                f"none of {self.images:,} images could be predicted, the first being '{printable(path)}': "
                f"{reason}. At least one is needed. Check the files."
            )

    def summary(self) -> str:
        """Return the number of images of each class, and the speed, as text."""
        seconds = time.monotonic() - self._start
        found = [f"{count:,} {name}" for name, count in self._counts.most_common() if name is not None]
        if failed := self._counts[None]:
            found.append(f"{failed:,} with an error")
        rate = f"{format_seconds(seconds)}, {self.images / max(seconds, 1e-9):,.0f} a second"
        return f"Predicted  {counted(self.images, 'image')} ({rate}): {', '.join(found)}"


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} images/s" if task.speed else "", "dim")


@contextmanager
def _writer(images: InputImages) -> Iterator[Callable[[str, int], None]]:
    """Yield the function that writes rows, of so many images so far; on a terminal it also moves a bar."""
    console = stderr()
    if not console.is_terminal:
        yield lambda text, _done: write(text)
        return
    columns = (TextColumn("predicting"), BarColumn(), MofNCompleteColumn(), _Rate())
    in_the_way = sys.stdout.isatty()
    # Redirected, rows would go to stderr with the bar, also where stdout is a file.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=images.count())

        def write_part(text: str, done: int) -> None:
            if in_the_way:
                progress.stop()
            write(text)
            progress.update(task, completed=done)
            progress.start()

        yield write_part
