"""The `tuner` command: its subcommands, and the one place that prints errors."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, NoReturn

import typer

from tuner import __version__
from tuner.cli import best, data, leaderboard, resume, runs, search, spaces
from tuner.cli.output import stderr
from tuner.errors import TunerError

app = typer.Typer(
    name="tuner",
    help="Hyperparameter search for image classifiers: photographs against generated images, or others.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("search")(search.search)
app.command("resume")(resume.resume)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("best")(best.best)
app.command("runs")(runs.runs)
app.add_typer(spaces.app, name="spaces")
app.add_typer(data.app, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tuner {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Run before each subcommand; all its options act at once."""


def main() -> NoReturn:
    """Entry point of the console script."""
    # Terminated politely, a search saves its state just as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
    except TunerError as error:
        code = _report(str(error), error.exit_code)
    except typer.TyperException as error:
        code = _report(error.format_message().replace("\n", " "), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _report("interrupted.", 130)
    except BrokenPipeError:
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _report(message: str, code: int) -> int:
    if message:
        stderr().print(f"error: {message}", style="red", markup=False, soft_wrap=True)
    return code
