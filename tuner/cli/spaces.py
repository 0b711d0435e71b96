"""`tuner spaces`: what there is to search."""

from __future__ import annotations

import typer

from tuner.cli.options import FormatOption
from tuner.cli.output import print_rows
from tuner.search.spaces import builtin_names, summary

app = typer.Typer(help="Search spaces that come with the tool.", no_args_is_help=True)


@app.command("list")
def list_spaces(form: FormatOption = "table") -> None:
    """List the built-in search spaces."""
    rows = [{"space": name, "content": summary(name)} for name in builtin_names()]
    print_rows(("space", "content"), rows, form)
