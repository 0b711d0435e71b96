"""What reaches a terminal: text whose control characters are escapes, and the styles of rich.

A name of a run, a class, a file or a hyperparameter, and the text of an error, may hold any character.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import rich.console
import rich.text
import typer
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from tuner.path_names import visible

# What a shell has for a program that SIGPIPE ends, as behind `| head -1`.
CLOSED_PIPE = 141


class Text(rich.text.Text):
    """A text of rich in its visible form, which has the width that is measured.

    Rich itself drops some control characters without a trace.
    """

    def __init__(self, text: str = "", *arguments: Any, **options: Any) -> None:
        super().__init__(visible(text), *arguments, **options)

    def append(self, text: rich.text.Text | str, style: Any = None) -> Text:
        super().append(visible(text) if isinstance(text, str) else text, style)
        return self

    @classmethod
    def assemble(cls, *parts: Any, **options: Any) -> Text:
        whole = cls(**options)
        for part in parts:
            whole.append(*(part if isinstance(part, tuple) else (part,)))
        return whole


class Console(rich.console.Console):
    """A console of rich whose texts are in visible form, wherever they come from, and are no markup."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> rich.text.Text:
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))

    def on_broken_pipe(self) -> None:
        """End the command without a word. Without its stderr a search is interrupted, and so is saved."""
        self.quiet = True
        raise KeyboardInterrupt if self.stderr else typer.Exit(CLOSED_PIPE)


def write(text: str) -> None:
    """Write data to stdout: as it is, but in visible form to a terminal.

    Raises:
        typer.Exit: nobody reads it any more.
    """
    try:
        sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise typer.Exit(CLOSED_PIPE) from None
