"""`tuner train`: one configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli.options import QuietOption, options_of
from tuner.config import FIELDS, make_config, read_toml
from tuner.errors import UsageError
from tuner.option_fields import WHAT
from tuner.tuning.single_request import OF_SEVERAL_TRIALS, SINGLE, assigned

HP = typer.Option(
    None,
    "--hp",
    metavar="NAME=VALUE",
    help="Value of a hyperparameter; the rest are those of the preset, or defaults. Repeatable.",
    rich_help_panel=WHAT.title,
)
PRESET = typer.Option("--preset", help="A configuration that the space names.", rich_help_panel=WHAT.title)
CONFIG = typer.Option(
    "--config",
    help="TOML file of tuner best --format toml, or the hyperparameters.json of a run.",
    rich_help_panel=WHAT.title,
)


@options_of((field for field in FIELDS if field not in OF_SEVERAL_TRIALS), instead={"hp": HP})
def train(
    preset: Annotated[str | None, PRESET] = None,
    config: Annotated[Path | None, CONFIG] = None,
    _quiet: QuietOption = False,
    **given: Any,
) -> None:
    """Train one configuration: a search of one, with the same data, results and review."""
    asked = _asked(config) if config is not None else {}
    texts = [*asked.get("hp", ()), *given.get("hp", ())]
    for text in texts:
        if "|" in text:
            raise UsageError(
                f"--hp '{text}' names several values. Give one, or compare them with tuner search."
            )
    values = [*([f"preset={preset}"] if preset else []), *texts]
    # The one trial is what the space's defaults are, once the values above are the only ones.
    search = make_config({**asked, **given, "hp": values, **SINGLE})

    from tuner.cli.search_commands import run_search

    run_search(search)


def _asked(path: Path) -> dict[str, Any]:
    """The request in a file: a TOML file of options, or hyperparameters alone as a run has them.

    Raises:
        UsageError: it cannot be read, or is neither.
    """
    if path.suffix != ".json":
        return read_toml(path)
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read '{path}': {error}. Give the hyperparameters.json of a run.") from None
    if not isinstance(values, dict):
        raise UsageError(f"'{path}' holds no values by name. Give the hyperparameters.json of a run.")
    return {"hp": assigned(values)}
