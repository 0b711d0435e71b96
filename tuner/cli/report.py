"""`tuner report`: a run as one page, and its plots as pictures."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.options import DEFAULT_RESULTS_DIR, ResultsDirOption, RunArgument
from tuner.cli.output import note, stderr
from tuner.cli.terminal import write
from tuner.errors import UsageError
from tuner.home_folder import expanded_path
from tuner.results.query import find_run
from tuner.results.schema import REPORT_FILE


def report(
    run: RunArgument = None,
    png: Annotated[
        Path | None,
        typer.Option(
            "--png",
            metavar="FOLDER",
            help="Write each plot as a picture there, too.",
            parser=expanded_path,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the page here; default: report.html in the folder of the run.",
            parser=expanded_path,
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Write a page on a run that needs nothing else, and print its path."""
    if out is not None and out.suffix not in (".html", ".htm"):
        raise UsageError(f"cannot write '{out}': the page is HTML. Give a name that ends in .html.")
    view = find_run(run, results_dir, note)
    from tuner.report.contents import read_contents
    from tuner.report.page import write_report

    target = out or view.path / REPORT_FILE
    with stderr().status("Reading the run ..."):
        contents = read_contents(view)
        write_report(contents, target)
    if png is not None:
        from tuner.evaluation.plot_names import font_note
        from tuner.report.pictures import write_pictures

        names = write_pictures(contents, png)
        note(f"Pictures   {png}: {', '.join(names)}")
        if missing := font_note(view.facts["data"]["class_names"]):
            note(f"Fonts      {missing}")
    write(f"{target}\n")
    if open_ and not webbrowser.open(target.resolve().as_uri()):
        note(f"No browser to be found. Open it with one: {target.resolve().as_uri()}")
