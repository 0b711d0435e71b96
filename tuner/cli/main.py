"""The `tuner` command: its subcommands, its signals such as Ctrl-C, and the one place that prints errors."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from tuner import __version__
from tuner.cache_folder import ENVIRONMENT as CACHE_VARIABLE
from tuner.cache_folder import cache_root
from tuner.cli import (
    best,
    compare,
    dashboard,
    data,
    doctor,
    evaluate,
    importance,
    leaderboard,
    predict,
    report,
    resume,
    retry,
    runs,
    search,
    spaces,
    train,
)
from tuner.cli.output import loud_stderr, note, set_quiet
from tuner.cli.terminal import CLOSED_PIPE
from tuner.credentials import without_credentials
from tuner.errors import TunerError
from tuner.home_folder import some_home
from tuner.path_names import visible
from tuner.workers.signals import STOPPING

# From the first request to stop to the last moment to do so.
LEAVE_S = 4.0
# Of an output that cannot be written; it has no name, unlike the files of a run.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

app = typer.Typer(
    name="tuner",
    help="Hyperparameter search for image classifiers: photographs against generated images, or others.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("search")(search.search)
app.command("train")(train.train)
app.command("resume")(resume.resume)
app.command("retry")(retry.retry)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("best")(best.best)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("dashboard")(dashboard.dashboard)
app.command("importance")(importance.show_importance)
app.command("runs")(runs.runs)
app.command("doctor")(doctor.doctor)
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
    _catch_signals()
    _escape_characters()
    sys.excepthook = _show_bug
    code = run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or CLOSED_PIPE
    except OSError as error:
        code = _report(_unwritten(error), 1)
    # TensorFlow takes over a second to tear down what the system frees at once.
    os._exit(code)


def run() -> int:
    """Run the command that the arguments name; return its exit code."""
    set_quiet(False)
    with some_home() as temporary:
        is_cache = temporary is not None and cache_root().is_relative_to(temporary)
        if is_cache and not {"-q", "--quiet"} & {*sys.argv}:
            note(
                f"Home       none: images are decoded to {temporary}, which is removed at the end. Set HOME, "
                f"or {CACHE_VARIABLE}, to keep them"
            )
        return _run()


def _run() -> int:
    try:
        code = app(standalone_mode=False)
    except TunerError as error:
        code = _report(str(error), error.exit_code)
    except typer.TyperException as error:
        code = _report(error.format_message().replace("\n", " "), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _report("interrupted.", 130)
    except SystemExit as error:  # of typer and rich, when they print the help
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        code = CLOSED_PIPE
    except OSError as error:
        if error.filename is not None or error.errno not in _FULL:
            raise
        code = _report(_unwritten(error), 1)
    return code if isinstance(code, int) else 0


def _escape_characters() -> None:
    r"""Let the streams print an escape such as \u00e9, which JSON knows too, for each character they lack.

    Into a pipe or a file, stdout writes the bytes of a path that is not UTF-8 as they are.
    """

    def escape(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        return json.dumps(error.object[error.start : error.end])[1:-1], error.end

    def keep(error: UnicodeError) -> tuple[str | bytes, int]:
        assert isinstance(error, UnicodeEncodeError)
        with suppress(UnicodeEncodeError):
            return error.object[error.start : error.end].encode("ascii", "surrogateescape"), error.end
        return escape(error)

    codecs.register_error("escape", escape)
    codecs.register_error("keep", keep)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="keep" if stream is sys.stdout and not stream.isatty() else "escape")


def _show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of an error that nobody expects; its message may hold text of a file."""
    sys.stderr.write(visible("".join(traceback.format_exception(kind, error, trace))))


def _catch_signals() -> None:
    """Asked to stop, by Ctrl-C, politely, or by a terminal that closes, a search saves its state.

    Slurm sends SIGUSR1 or SIGUSR2 some time before its limit, where it is asked to.

    Asked again, or after some seconds, it ends at once: all that it has done is in the store, and workers end
    with the driver.
    """

    def leave(*_: object) -> NoReturn:
        os._exit(130)

    def interrupt(*_: object) -> NoReturn:
        for each in caught:
            signal.signal(each, leave)
        # The exception may land where a library swallows it.
        deadline = threading.Timer(LEAVE_S, leave)
        deadline.daemon = True
        deadline.start()
        raise KeyboardInterrupt

    # `nohup` and shells that start a command in the background let it ignore some of them.
    caught = [number for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    for number in caught:
        signal.signal(number, interrupt)


def _unwritten(error: OSError) -> str:
    return f"cannot write the output: {error.strerror}. Free some space, or send it elsewhere."


def _report(message: str, code: int) -> int:
    # Where stderr cannot be written either, the exit code says it.
    with suppress(OSError, KeyboardInterrupt):
        if message:
            loud_stderr().print(f"error: {without_credentials(message)}", style="red", soft_wrap=True)
    return code
