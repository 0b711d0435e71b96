"""The live display of a search on a terminal; elsewhere a line for each finished rung."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from tuner.cli.output import format_seconds, format_values, stderr
from tuner.cli.progress import REFRESH_PER_S
from tuner.cli.terminal import Text
from tuner.results.query import rank
from tuner.results.schema import COMPLETED, FAILED, TrialRecord
from tuner.training.task import EpochDone, StepsDone
from tuner.tuning.events import RungEnded, SearchStarted, TrialEvent, TrialStarted
from tuner.units import counted

# Of the terminal's lines, those that trials under way do not have; and what they have in any case.
OTHER_ROWS, MIN_ROWS = 6, 4
# Of a line, what bars have where there is room, and what the place of a trial has at most.
BAR_WIDTH, PLACE_WIDTH = 24, 24


@contextmanager
def search_display(start: SearchStarted) -> Iterator[Callable[[TrialEvent], None]]:
    """Yield the function that shows the events of trials."""
    console = stderr()
    state = _State(start)
    if not console.is_terminal:

        def print_line(event: TrialEvent) -> None:
            state.take(event)
            if isinstance(event, RungEnded):
                console.print(Text.assemble(state.position, " ", state.line(event)), soft_wrap=True)

        yield print_line
        return

    def live() -> Group:
        return state.render(console.height)

    with Live(get_renderable=live, console=console, refresh_per_second=REFRESH_PER_S, transient=True):

        def show(event: TrialEvent) -> None:
            state.take(event)
            if isinstance(event, RungEnded):
                console.print(state.line(event), no_wrap=True, overflow="ellipsis", crop=True)

        yield show
    console.print(state.summary())


@dataclass
class _UnderWay:
    """A trial that trains: its epoch, from 1, the share of it that is done, and its last score."""

    started: TrialStarted
    epoch: int
    share: float = 0.0
    score: float | None = None


class _State:
    """What has happened so far, and how to show it."""

    def __init__(self, start: SearchStarted) -> None:
        self._plan, self._num_images, self._constants = start.plan, start.num_images, start.constants
        self._objective = start.config.objective.name
        self._known = {trial.trial_id for trial in start.trials}
        ranked = rank(start.trials, start.config.objective.direction)
        self._best = ranked[0] if ranked else None
        self._epochs = sum(trial.epochs for trial in start.trials)
        # In passes over all of the data.
        self._done = self._done_before = sum(trial.images for trial in start.trials) / start.num_images
        self._skipped = 0.0
        self._under_way: dict[str, _UnderWay] = {}
        self._start = time.monotonic()

    @property
    def position(self) -> str:
        """Trials begun, of how many."""
        return f"[{min(len(self._known), self._plan.trials)}/{self._plan.trials}]"

    def take(self, event: TrialEvent) -> None:
        """Note what happened."""
        if isinstance(event, TrialStarted):
            self._known.add(event.trial_id)
            self._under_way[event.trial_id] = _UnderWay(event, event.initial_epoch + 1)
        elif isinstance(event, StepsDone):
            trial = self._under_way[event.trial_id]
            trial.epoch, trial.share = event.epoch, event.done / event.total
        elif isinstance(event, EpochDone):
            self._epochs += 1
            self._done += event.epoch.images / self._num_images
            trial = self._under_way[event.trial_id]
            if trial.epoch <= event.number:  # else its next epoch has begun already
                trial.epoch, trial.share = event.number + 1, 0.0
            trial.score = event.epoch.metrics[self._objective]
        else:
            self._under_way.pop(event.trial.trial_id, None)
            self._skipped += event.skipped * self._data_share(event.trial.bracket, event.trial.rung)
            if event.is_best:
                self._best = event.trial

    def line(self, event: RungEnded) -> Text:
        """One finished rung on one line."""
        trial = event.trial
        if trial.status == FAILED:
            return Text(f"{trial.trial_id}  {trial.error}", "red")
        score = "no score" if trial.score is None else f"{trial.score:.4f}"
        head = f"{trial.trial_id}  {self._objective} "
        style = "bold green" if event.is_best else ""
        return Text.assemble(
            head,
            (score, style),
            f"  {_epochs(trial)}  {format_seconds(trial.duration_s)}  ",
            ("best so far  " if event.is_best else "", "green"),
            ("" if trial.status == COMPLETED else f"{trial.status}  ", "yellow"),
            (self._values(trial), "dim"),
        )

    def _values(self, trial: TrialRecord) -> str:
        return format_values({k: v for k, v in trial.values.items() if k not in self._constants})

    def render(self, height: int = 25) -> Group:
        """The live part, on so many lines: the whole search, the trials under way, the best so far."""
        share = self._fraction()
        bars = Table.grid(padding=(0, 1))
        bars.add_column(no_wrap=True)
        bars.add_column(max_width=BAR_WIDTH)  # the only one to give way on a narrow terminal
        bars.add_column(no_wrap=True)
        bars.add_column(no_wrap=True)
        bars.add_column(no_wrap=True, max_width=PLACE_WIDTH)
        left = "" if not self._remaining_s() else f"{format_seconds(self._remaining_s() or 0)} left"
        elapsed = format_seconds(time.monotonic() - self._start)
        trial_count = f"trial {min(len(self._known), self._plan.trials)} of {self._plan.trials}"
        bars.add_row(trial_count, ProgressBar(1.0, share), f"{share:4.0%}", f"{elapsed} elapsed", left)
        rows: list[Any] = [bars]
        under_way = list(self._under_way.values())
        room = max(MIN_ROWS, height - OTHER_ROWS)
        for trial in under_way[:room]:
            epochs = trial.started.epochs
            bars.add_row(
                f"{trial.started.trial_id} epoch {min(trial.epoch, epochs)} of {epochs}",
                ProgressBar(1.0, trial.share),
                f"{trial.share:4.0%}",
                "" if trial.score is None else f"{self._objective} {trial.score:.4f}",
                Text(trial.started.place, "dim"),
            )
        if len(under_way) > room:
            rows.append(Text(f"and {len(under_way) - room} more trials", "dim"))
        if self._best is not None and self._best.score is not None:
            best = f"best {self._objective} {self._best.score:.4f}  trial {self._best.trial_id}  "
            rows.append(
                Text.assemble(best, (self._values(self._best), "dim"), no_wrap=True, overflow="ellipsis")
            )
        return Group(*rows)

    def summary(self) -> Text:
        """The last line: what it took."""
        elapsed = format_seconds(time.monotonic() - self._start)
        return Text(f"{counted(len(self._known), 'trial')}, {counted(self._epochs, 'epoch')} in {elapsed}\n")

    def _fraction(self) -> float:
        under_way = sum(
            trial.share * self._data_share(trial.started.bracket, trial.started.rung)
            for trial in list(self._under_way.values())
        )
        return min(1.0, (self._done + self._skipped + under_way) / self._plan.passes)

    def _remaining_s(self) -> float | None:
        done = self._done - self._done_before
        if not done:
            return None
        left = max(0.0, self._plan.passes - self._done - self._skipped)
        return (time.monotonic() - self._start) / done * left

    def _data_share(self, bracket: int, rung: int) -> float:
        return self._plan.brackets[bracket].rungs[rung].data_share


def _epochs(trial: TrialRecord) -> str:
    """Which epoch was the best of how many."""
    return f"epoch {trial.best_epoch}/{trial.epochs}" if trial.epochs else "cut off in its first epoch"
