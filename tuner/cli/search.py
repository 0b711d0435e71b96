"""`tuner search`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli.options import QuietOption, options_of
from tuner.config import FIELDS, make_config, read_toml
from tuner.option_fields import OUTPUT

CONFIG = typer.Option("--config", help="TOML file with these options as keys.", rich_help_panel=OUTPUT.title)
DRY_RUN = typer.Option("--dry-run", help="Show the plan, train nothing.", rich_help_panel=OUTPUT.title)


@options_of(FIELDS)
def search(
    config: Annotated[Path | None, CONFIG] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    _quiet: QuietOption = False,
    **given: Any,
) -> None:
    """Search for the best model, then show the leaderboard and the winner's confusion matrix.

    Every option can also be a key of the --config file or a variable TUNER_NAME_IN_CAPITALS; an option on the
    command line wins over the variable, the variable over the file.
    """
    request = make_config({**(read_toml(config) if config else {}), **given})

    from tuner.cli.search_commands import preview, run_search

    if dry_run:
        preview(request)
    else:
        run_search(request)
