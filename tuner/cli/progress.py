"""Progress bars and waiting signs on a terminal, for long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from tuner.cli.output import stderr

REFRESH_PER_S = 8


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function (done, total) that draws a bar on a terminal; nothing appears unless it is called."""
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("", total=None)

    def advance(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on a terminal that something takes its time."""
    console = stderr()
    if console.is_terminal:
        with console.status(Text(f"{text} ...", "dim")):
            yield
    else:
        yield
