"""`tuner best --retrain`: the best configurations, trained anew with several seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from tuner.cli.output import format_seconds, stderr
from tuner.cli.progress import REFRESH_PER_S
from tuner.cli.session_display import session_display
from tuner.cli.terminal import Text
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
    """Yield the function that shows the training of models. Bars count passes over all images."""
    console = stderr()
    missing = [each for each in wanted if each.evaluation() is None]
    trained = {each.label: len(read_history(each.checkpoint)) for each in missing}
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(24),
        TaskProgressColumn(),
        TextColumn("{task.fields[more]}"),
    )
    with Progress(
        *columns,
        console=console,
        refresh_per_second=REFRESH_PER_S,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        finished = len(wanted) - len(missing)
        passes = sum(each.epochs for each in missing)
        bars.add_task("training models", total=passes, completed=sum(trained.values()), more="")
        for each in missing:
            bars.add_task(
                each.label, total=each.epochs, completed=trained[each.label], visible=False, more=""
            )
        whole, *others = bars.tasks
        models = dict(zip(trained, others, strict=True))

        def show(event: Event) -> None:
            nonlocal finished
            if isinstance(event, Measured):
                finished += 1
                console.print(_line(event, f"[{finished}/{len(wanted)}]"), soft_wrap=True)
                bars.update(models[event.which.label].id, visible=False)
            else:
                model = models[event.trial_id]
                if isinstance(event, StepsDone):
                    done = event.epoch - 1 + event.done / event.total
                    text = f"{event.trial_id} epoch {event.epoch} of {model.total:.0f}"
                    bars.update(model.id, completed=done, description=text, visible=True)
                else:
                    bars.update(model.id, completed=max(model.completed, event.number))
            more = f"{format_seconds(whole.elapsed or 0.0)} elapsed"
            if whole.time_remaining is not None:
                more += f"  {format_seconds(whole.time_remaining)} left"
            bars.update(
                whole.id,
                completed=sum(model.completed for model in models.values()),
                description=f"model {min(finished + 1, len(wanted))} of {len(wanted)}",
                more=more,
            )

        yield show


def _line(event: Measured, position: str) -> Text:
    """One trained model on one line."""
    evaluation = event.evaluation
    return Text(
        f"{position} trial {event.which.label}  test accuracy {evaluation['accuracy']:.4f}  "
        f"{epochs_text(evaluation)}  {format_seconds(evaluation['duration_s'])}"
    )
