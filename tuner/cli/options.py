"""Command-line options, each declared once; those of a search come from SearchConfig."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from tuner.cli.output import Format, set_quiet
from tuner.config import SearchConfig
from tuner.home_folder import expanded_path
from tuner.option_fields import option_name, panel_of

RUN = typer.Argument(help="A run: its id or its folder; default: the last one.", show_default=False)
RunArgument = Annotated[str | None, RUN]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the listing.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress on stderr.", callback=set_quiet, expose_value=False)
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust", help="Execute what others made: the code that a run names, a SavedModel. Look at it first."
    ),
]
ResultsDirOption = Annotated[
    Path,
    typer.Option(
        "--results-dir",
        envvar="TUNER_RESULTS_DIR",
        help="Folder that holds the runs.",
        parser=expanded_path,
        metavar="PATH",
    ),
]
DEFAULT_RESULTS_DIR = Path(SearchConfig.model_fields["results_dir"].default)


def options_of(
    fields: Iterable[str],
    *,
    instead: Mapping[str, Any] | None = None,
    panel: str | None = None,
    variables: bool = True,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put the options of SearchConfig fields in the place of a command's last parameter, `**given`.

    `--max-time 2h` arrives as `given["max_time"] == "2h"`, and an option that is not given is not in it. The
    command hands `given` to `make_config`, whose SearchConfig turns the text into `max_time`, 7200 seconds.
    Typer reads the options from the signature set here: first the fields, then the command's own parameters.

    Args:
        fields: Names of the fields, in the order of --help.
        instead: Options that differ from the field, by its name.
        panel: Title over all of them in --help; default: that of each field.
        variables: Whether TUNER_FIELD_NAME counts too. A variable is meant for all searches, and so is no
            change that anybody asks of one.
    """
    replaced = instead or {}
    options = [
        Parameter(
            field,
            Parameter.KEYWORD_ONLY,
            default=replaced[field] if field in replaced else _option(field, panel, variables),
            annotation=_type(field) | None,
        )
        for field in fields
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        *own, _given = signature(command, eval_str=True).parameters.values()

        @wraps(command)
        def call(**values: Any) -> None:
            command(**{name: value for name, value in values.items() if value is not None})

        own = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own]
        vars(call)["__signature__"] = Signature([*options, *own])
        return call

    return decorate


def _option(field: str, panel: str | None, variable: bool) -> Any:
    """Return the option of a field.

    It takes text, which SearchConfig converts: an option, a variable and a TOML key fail with the same words.
    """
    info = SearchConfig.model_fields[field]
    name = option_name(field)
    is_flag = _type(field) is bool
    shown = not is_flag and info.default is not None and info.default != ()
    return typer.Option(
        # "Not given", so that a config file can come in between.
        None,
        f"{name}/--no-{name.removeprefix('--')}" if is_flag else name,
        envvar=f"TUNER_{field.upper()}" if variable else None,
        help=info.description,
        metavar=None if is_flag else _metavar(info.annotation),
        show_default=str(info.default) if shown else False,
        show_envvar=False,
        rich_help_panel=panel or panel_of(info).title,
    )


def _type(field: str) -> Any:
    """Return the type of an option's value."""
    annotation = SearchConfig.model_fields[field].annotation
    if get_origin(annotation) is tuple:
        return list[str]
    return bool if annotation is bool else str


def _metavar(annotation: Any) -> str:
    """Return what --help shows for a value of this type."""
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    return "NUMBER" if annotation in (int, int | None) else "TEXT"
