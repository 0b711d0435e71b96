"""Command-line options, each declared once; those of a search come from SearchConfig."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from tuner.cli.output import Format
from tuner.config import SearchConfig

RUN = typer.Argument(help="A run: its id or its folder; default: the last one.", show_default=False)
RunArgument = Annotated[str | None, RUN]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the listing.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
ResultsDirOption = Annotated[
    Path, typer.Option("--results-dir", envvar="TUNER_RESULTS_DIR", help="Folder that holds the runs.")
]
DEFAULT_RESULTS_DIR = Path(SearchConfig.model_fields["results_dir"].default)


def option(field: str, panel: str, short: str | None = None, *, variable: bool = True) -> Any:
    """Return the option of a SearchConfig field: its name, help, default and environment variable.

    The option itself defaults to None, "not given", so that a config file can come in between, and takes
    text: SearchConfig converts it, so that an option, a variable and a TOML key fail with the same words.

    Args:
        variable: Whether the environment counts too. What is set there for all searches is no change that
            anybody asks of one.
    """
    info = SearchConfig.model_fields[field]
    names = ["--" + field.replace("_", "-"), *([short] if short else [])]
    is_flag = isinstance(info.default, bool)
    if is_flag:
        names[0] += f"/--no-{field.replace('_', '-')}"
    shown = not is_flag and info.default is not None and info.default != ()
    return typer.Option(
        *names,
        envvar=f"TUNER_{field.upper()}" if variable else None,
        help=info.description,
        metavar=None if is_flag else _metavar(info.annotation),
        show_default=str(info.default) if shown else False,
        show_envvar=False,
        rich_help_panel=panel,
    )


def _metavar(annotation: Any) -> str:
    """What --help shows for a value of this type."""
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    return "NUMBER" if annotation in (int, int | None) else "TEXT"
