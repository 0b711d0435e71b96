"""`tuner spaces`: what there is to search, and spaces of one's own."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search_spaces import DataSpec
from tuner.cli.options import FormatOption
from tuner.cli.output import format_value, format_values, make_table, note, show, stdout, write_json
from tuner.cli.terminal import Text
from tuner.errors import SpaceError, TunerError, UsageError
from tuner.home_folder import expanded_path
from tuner.results.tables import rows_table
from tuner.spaces.references import (
    BUILTIN_PACKAGE,
    ENTRY_POINT_GROUP,
    builtin_names,
    check_reference,
    summary,
    unknown,
)

if TYPE_CHECKING:
    from tuner.spaces.checks import Finding
    from tuner.spaces.overview import Overview
    from tuner.spaces.search_space import SearchSpace

app = typer.Typer(help="Search spaces: those that come with the tool, and your own.", no_args_is_help=True)

REFERENCE = typer.Argument(
    help="A name, a file such as my_space.py or a notebook, FILE:NAME or MODULE:NAME.", metavar="SPACE"
)
SpaceArgument = Annotated[str, REFERENCE]
ImageSizeOption = Annotated[int, typer.Option(min=8, max=1024, help="Side of the square images.")]
ClassesOption = Annotated[int, typer.Option(min=2, help="Number of classes.")]
ChannelsOption = Annotated[int, typer.Option(min=1, help="Channels of the images.")]

COLUMNS = ("name", "part", "values", "default", "condition")


@app.command("list")
def list_spaces(form: FormatOption = "table") -> None:
    """List the search spaces: built-in ones, and those of installed plugins."""
    contents = {name: summary(name) for name in builtin_names()}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        # What a plugin says of itself cannot be read without importing it, and Keras with it.
        contents.setdefault(point.name, f"Plugin {point.value}.")
    rows = ({"space": name, "content": content} for name, content in contents.items())
    show(rows_table(rows), form)


@app.command("show")
def show_space(
    space: SpaceArgument,
    image_size: ImageSizeOption = 32,
    classes: ClassesOption = 2,
    channels: ChannelsOption = 3,
    form: FormatOption = "table",
) -> None:
    """Show hyperparameters, number of configurations, presets and the size of the default model."""
    hypermodel = _load(space, DataSpec((image_size, image_size, channels), classes))

    from tuner.spaces.overview import overview

    with redirect_stdout(sys.stderr):  # what the space prints is no data
        found = overview(hypermodel)
    if form == "table":
        _print(found)
    elif form == "json":
        write_json(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        show(rows_table(found.hyperparameters, COLUMNS), form)


@app.command("check")
def check(
    space: SpaceArgument,
    image_size: ImageSizeOption = 32,
    classes: ClassesOption = 2,
    channels: ChannelsOption = 3,
    form: FormatOption = "table",
) -> None:
    """Check that a search of a space means what it says: builds, values, conditions, presets."""
    hypermodel = _load(space, DataSpec((image_size, image_size, channels), classes))

    from tuner.spaces.checks import notes_beside, run_checks

    findings = []
    checks = run_checks(hypermodel)
    while True:
        with redirect_stdout(sys.stderr):
            finding = next(checks, None)
        if finding is None:
            break
        findings.append(finding)
        if form == "table":
            _print_finding(finding)
    with redirect_stdout(sys.stderr):
        notes = notes_beside(hypermodel, findings)
    if form == "table":
        for text in notes:
            stdout().print(Text.assemble(("note   ", "dim"), text), soft_wrap=True)
    else:
        show(rows_table(findings), form)
        for text in notes:
            note(text)
    failed = sum(finding.problem is not None for finding in findings)
    if failed:
        raise TunerError(f"search space '{space}' fails {failed} of {len(findings)} checks. See above.")


@app.command("copy")
def copy(
    name: Annotated[str, typer.Argument(help="A built-in space.")],
    file: Annotated[
        Path, typer.Argument(help="A new file, e.g. my_space.py.", parser=expanded_path, metavar="FILE")
    ],
) -> None:
    """Copy a built-in space to a file of your own, to be changed and searched."""
    if name not in builtin_names():
        raise SpaceError(unknown("built-in search space", name, builtin_names()))
    if file.suffix != ".py":
        raise UsageError(f"'{file}' is no Python file. Name it e.g. '{file.with_suffix('.py')}'.")
    source = files(BUILTIN_PACKAGE).joinpath(f"{name}.py").read_text("utf-8")
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(source)
    except FileExistsError:
        raise UsageError(f"'{file}' exists and is not overwritten. Choose another name.") from None
    except OSError as error:
        raise UsageError(f"cannot write '{file}': {error.strerror}. Choose another place.") from None
    note(f"Wrote {file}. Change it, then:")
    note(f"  tuner spaces check {file}")
    note(f"  tuner search --space {file}")


def _load(reference: str, spec: DataSpec) -> SearchSpace:
    """The space with Keras loaded; an unknown one is refused before that."""
    check_reference(reference)

    from tuner.training.device import load_backend

    load_backend()

    from tuner.spaces.search_space import SearchSpace

    return SearchSpace(reference, spec)


def _print(found: Overview) -> None:
    console = stdout()
    height, width, channels = found.image_shape
    frame = rows_table(found.hyperparameters, COLUMNS)
    console.print(make_table(frame.assign(default=frame["default"].map(format_value))))
    console.print()
    lines = {
        "configurations": _configurations(found),
        "default model": f"{found.num_params:,} parameters, {_flops(found.flops)} for one image of "
        f"{width}x{height}x{channels} in {found.num_classes} classes (a multiply-add counts as two)",
        **{f"preset {name}": format_values(values) for name, values in found.presets.items()},
    }
    label_width = max(map(len, lines)) + 2
    for name, text in (*lines.items(), *(("note", text) for text in found.notes)):
        console.print(Text.assemble((f"{name:<{label_width}}", "dim"), text), soft_wrap=True)


def _configurations(found: Overview) -> str:
    if found.num_configurations is not None:
        return f"{found.num_configurations:,}"
    if found.continuous:
        return f"infinitely many: {', '.join(found.continuous)} continuous"
    return "too many conditions to be counted"


def _flops(flops: int) -> str:
    for unit, size in (("GFLOPs", 1e9), ("MFLOPs", 1e6), ("kFLOPs", 1e3)):
        if flops >= size:
            return f"{flops / size:.3g} {unit}"
    return f"{flops} FLOPs"


def _print_finding(finding: Finding) -> None:
    console = stdout()
    if finding.problem is None:
        console.print(Text.assemble(("ok     ", "green"), finding.check))
    else:
        console.print(
            Text.assemble(("wrong  ", "red"), f"{finding.check}: {finding.problem}"), soft_wrap=True
        )
