"""`tuner best --retrain`: the best configurations, trained anew with several seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from tuner.cli.output import format_seconds, stderr
from tuner.cli.progress import REFRESH_PER_S
from tuner.cli.session_display import session_display
from tuner.evaluation.retrained_model import Listener, RetrainingStarted
from tuner.evaluation.retraining import Event, Measured, SeededTrial
from tuner.statistics.spread import epochs_text
from tuner.training.checkpoint import read_history
from tuner.training.task import EpochDone, StepsDone
from tuner.tuning import events

HEADINGS = {
    "accuracy_without_seen": "no copies",
    "balanced_accuracy": "balanced",
    "auroc": "AUROC",
    "average_precision": "AP",
    "eer": "EER",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "ECE",
}
"""Of a table that fits a terminal; others are called as in files."""
SPREAD = {"mean": "mean", "sd": "std dev", "min": "min", "max": "max"}


def summary_view(summary: dict[str, Any]) -> RenderableType:
    """A table for each configuration: its figures on the test split by seed, and their spread."""
    parts: list[RenderableType] = [
        Text(
            f"Trained on train and validation together, {summary['trained_on']['images']:,} images; measured "
            f"on the test split, {summary['test_images']:,} images"
        )
    ]
    for trial in summary["trials"]:
        head = f"\nTrial {trial['trial_id']}, {epochs_text(trial)} with each seed"
        chosen = f"{summary['objective']} {trial['score']:.4f} in the search"
        parts += [Text.assemble((head, "bold"), f"  {chosen}"), "", _table(trial)]
    return Group(*parts)


def _table(trial: dict[str, Any]) -> Table:
    figures = trial["figures"]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("seed")
    for name in figures:
        table.add_column(HEADINGS.get(name, name), justify="right")
    for seed in trial["seeds"]:
        table.add_row(str(seed["seed"]), *(_number(seed[name]) for name in figures))
    if len(trial["seeds"]) > 1:
        for key, name in SPREAD.items():
            style = "bold" if key == "mean" else "dim"
            table.add_row(name, *(_number(values[key]) for values in figures.values()), style=style)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


@contextmanager
def retraining_display() -> Iterator[Listener]:
    """Yield the listener that shows a retraining: live on a terminal, a line for each model elsewhere."""
    with ExitStack() as live, session_display() as show_other:
        show_model: Callable[[Event], None] | None = None

        def show(event: events.Event | RetrainingStarted | Event) -> None:
            nonlocal show_model
            if isinstance(event, RetrainingStarted):
                show_model = live.enter_context(_models(event.wanted))
            elif show_model is not None and isinstance(event, StepsDone | EpochDone | Measured):
                show_model(event)
            elif not isinstance(event, Measured):
                show_other(event)

        yield show


@contextmanager
def _models(wanted: Sequence[SeededTrial]) -> Iterator[Callable[[Event], None]]:
    """Yield the function that shows the training of models."""
    console = stderr()
    state = _State(wanted)
    if not console.is_terminal:

        def print_line(event: Event) -> None:
            state.take(event)
            if isinstance(event, Measured):
                console.print(state.line(event), soft_wrap=True)

        yield print_line
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(24),
        TaskProgressColumn(),
        TextColumn("{task.fields[more]}"),
    )
    with Progress(
        *columns, console=console, refresh_per_second=REFRESH_PER_S, transient=True, expand=False
    ) as bars:
        rows: dict[str, TaskID] = {}
        whole = bars.add_task(state.position, total=1.0, more="")

        def show(event: Event) -> None:
            state.take(event)
            if isinstance(event, Measured):
                console.print(state.line(event), no_wrap=True, overflow="ellipsis", crop=True)
                if event.which.label in rows:
                    bars.remove_task(rows.pop(event.which.label))
            elif isinstance(event, StepsDone):
                epochs = state.epochs[event.trial_id]
                text = f"{event.trial_id} epoch {event.epoch} of {epochs}"
                if event.trial_id not in rows:
                    rows[event.trial_id] = bars.add_task(text, total=1.0, more="")
                bars.update(rows[event.trial_id], description=text, completed=event.done / event.total)
            bars.update(whole, description=state.position, completed=state.share, more=state.times)

        yield show


class _State:
    """How far the training is. Epochs count in passes over all images, which all of them are."""

    def __init__(self, wanted: Sequence[SeededTrial]) -> None:
        self._count = len(wanted)
        missing = [each for each in wanted if each.evaluation() is None]
        self._finished = self._count - len(missing)
        self.epochs = {each.label: each.epochs for each in missing}
        self._done: dict[str, float] = {each.label: len(read_history(each.checkpoint)) for each in missing}
        self._done_before = sum(self._done.values())
        self._start = time.monotonic()

    @property
    def position(self) -> str:
        """The model under way, of how many."""
        return f"model {min(self._finished + 1, self._count)} of {self._count}"

    @property
    def share(self) -> float:
        """Part of the epochs of what was missing that is done, 0 to 1."""
        return min(1.0, sum(self._done.values()) / max(1, sum(self.epochs.values())))

    @property
    def times(self) -> str:
        """Time since the start and time left."""
        elapsed = time.monotonic() - self._start
        done = sum(self._done.values())
        trained = done - self._done_before
        if not trained:
            return f"{format_seconds(elapsed)} elapsed"
        left = elapsed / trained * (sum(self.epochs.values()) - done)
        return f"{format_seconds(elapsed)} elapsed  {format_seconds(left)} left"

    def take(self, event: Event) -> None:
        """Note what happened."""
        if isinstance(event, StepsDone):
            self._done[event.trial_id] = event.epoch - 1 + event.done / event.total
        elif isinstance(event, EpochDone):
            self._done[event.trial_id] = max(self._done[event.trial_id], event.number)
        else:
            self._finished += 1

    def line(self, event: Measured) -> Text:
        """One trained model on one line."""
        evaluation = event.evaluation
        return Text(
            f"[{self._finished}/{self._count}] trial {event.which.label}  test accuracy "
            f"{evaluation['accuracy']:.4f}  {epochs_text(evaluation)}  "
            f"{format_seconds(evaluation['duration_s'])}"
        )
