"""Everything that a search shows from its first line to its last, but for the review of its winner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from tuner.cli.output import note, say
from tuner.cli.progress import progress_bar, waiting
from tuner.cli.search_display import search_display
from tuner.cli.search_summary import show_speed, show_start
from tuner.tuning.events import (
    Busy,
    BusyEnded,
    Event,
    Listener,
    Note,
    Prepared,
    Progress,
    SearchEnded,
    SearchStarted,
    TrialEvent,
    WinnerEvaluated,
    ignore,
)

T = TypeVar("T")


@contextmanager
def session_display() -> Iterator[Listener]:
    """Yield the listener that shows a search, or another long work, on stderr."""
    with ExitStack() as live:
        yield _Display(live).show


class _Display:
    """Shows one thing at a time that moves; the next one takes its place. `live` closes it in the end."""

    def __init__(self, live: ExitStack) -> None:
        self._live = live
        self._bar = ""
        """Text of the bar that is shown; empty where there is none."""
        self._advance: Callable[[int, int], None] | None = None
        self._show_trial: Callable[[TrialEvent], None] = ignore

    def show(self, event: Event) -> None:
        match event:
            case Note():
                (say if event.is_warning else note)(event.text)
            case Progress():
                if self._bar != event.text:
                    self._advance, self._bar = self._replace(progress_bar(event.text)), event.text
                if self._advance is not None:
                    self._advance(event.done, event.total)
            case Busy():
                self._replace(waiting(event.text))
            case BusyEnded() | SearchEnded():
                self._close()
            case Prepared():
                show_start(event)
            case SearchStarted():
                self._show_trial = self._replace(search_display(event))
            case WinnerEvaluated():
                show_speed(event)
            case _:
                self._show_trial(event)

    def _replace(self, shown: AbstractContextManager[T]) -> T:
        self._close()
        return self._live.enter_context(shown)

    def _close(self) -> None:
        self._live.close()
        self._bar = ""
