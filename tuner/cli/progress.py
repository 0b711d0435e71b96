"""Progress bars and waiting signs on a terminal, for long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tuner.cli.output import stderr
from tuner.cli.terminal import Text
from tuner.units import counted

REFRESH_PER_S = 8


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function (done, total) that draws a bar on a terminal; nothing appears unless it is called.

    With a total of 0 it says the number of files listed so far instead.
    """
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    columns = (
        *(TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[count]}")),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("", total=None, count="")

    def advance(done: int, total: int) -> None:
        if total:
            bar.update(task, description=text, completed=done, total=total, count=f"{done:,}/{total:,}")
        else:
            bar.update(task, description=f"{counted(done, 'file')} listed")
        bar.start()

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
