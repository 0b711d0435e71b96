"""Everything that a search shows from its first line to its last, but for the review of its winner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from tuner.cli.output import note
from tuner.cli.progress import progress_bar, waiting
from tuner.cli.search_display import search_display
from tuner.cli.search_summary import show_speed, show_start
from tuner.tuning.events import (
    Busy,
    BusyEnded,
    Decoding,
    Event,
    Listener,
    Note,
    Prepared,
    SearchEnded,
    SearchStarted,
    TrialEvent,
    WinnerEvaluated,
    ignore,
)

T = TypeVar("T")


@contextmanager
def session_display() -> Iterator[Listener]:
    """Yield the listener that shows a session on stderr."""
    with ExitStack() as live:
        yield _Display(live).show


class _Display:
    """Shows one thing at a time that moves; the next one takes its place. `live` closes it in the end."""

    def __init__(self, live: ExitStack) -> None:
        self._live = live
        self._advance: Callable[[int, int], None] | None = None
        self._decoding = False
        self._show_trial: Callable[[TrialEvent], None] = ignore

    def show(self, event: Event) -> None:
        match event:
            case Note():
                note(event.text)
            case Decoding():
                if not self._decoding:
                    self._advance, self._decoding = self._replace(progress_bar("decoding images")), True
                if self._advance is not None:
                    self._advance(event.done, event.total)
            case Busy():
                self._replace(waiting(event.text))
            case BusyEnded() | SearchEnded():
                self._live.close()
            case Prepared():
                show_start(event)
            case SearchStarted():
                self._show_trial = self._replace(search_display(event))
            case WinnerEvaluated():
                show_speed(event)
            case _:
                self._show_trial(event)

    def _replace(self, shown: AbstractContextManager[T]) -> T:
        self._live.close()
        return self._live.enter_context(shown)
