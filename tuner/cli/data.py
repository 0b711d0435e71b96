"""`tuner data`: what is in a data set."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli.options import FormatOption, QuietOption, options_of
from tuner.cli.output import note, show, stderr, write_json
from tuner.cli.terminal import write
from tuner.data_options import DataOptions
from tuner.home_folder import expanded_path
from tuner.option_fields import DATA, validated
from tuner.results.tables import json_text, rows_table
from tuner.units import counted

PATH = typer.Argument(help="A folder, an archive, a table of labels, arrays, or 'demo'.", show_default=False)
UNUSABLE = "List the images that cannot be used instead, each with the reason."
FACTS = ("name", "source", "fingerprint", "image_shape", "class_names", "positive_class")

app = typer.Typer(help="Data sets: images in classes.", no_args_is_help=True)


@app.command("show")
@options_of(DataOptions.model_fields, panel=DATA.title, variables=False)
def show_data(
    path: Annotated[str, PATH],
    seed: Annotated[int, typer.Option(help="Seed of the splits.")] = 0,
    unusable: Annotated[bool, typer.Option("--unusable", help=UNUSABLE)] = False,
    form: FormatOption = "table",
    _quiet: QuietOption = False,
    **given: Any,
) -> None:
    """Show counts per class and split, sizes, duplicates, near copies, unusable images and shortcuts."""
    options = validated(DataOptions, {"max_unusable": 1, **given})

    from tuner.cli.data_view import CLASS_COLUMNS, class_rows, data_notes, group_counts, print_data
    from tuner.cli.progress import progress_bar, waiting
    from tuner.data.audit import audit
    from tuner.data.dataset import load_dataset

    with progress_bar("reading images") as advance:
        dataset = load_dataset(path, options, seed=seed, labelled_only=unusable, progress=advance)
    if unusable:
        note(f"{counted(len(dataset.skipped), 'image')} cannot be used")
        show(rows_table(dataset.skipped, ("path", "reason")), form)
        return
    with waiting("looking for copies and shortcuts"):
        findings = audit(dataset)
    if form == "table":
        print_data(dataset, findings)
    elif form == "json":
        summary = {name: getattr(dataset, name) for name in FACTS}
        summary["notes"] = data_notes(dataset, findings)
        groups = {"groups": group_counts(dataset), "pixels": dataclasses.asdict(dataset.pixel_stats)}
        write_json(json_text(summary | groups | dataclasses.asdict(findings)))
    else:
        show(rows_table(class_rows(dataset, findings), CLASS_COLUMNS), form)


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="cifake (120,000 images) or faces (140,000).", metavar="NAME")],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="A new folder for it; default: kagglehub's cache.",
            parser=expanded_path,
            metavar="PATH",
        ),
    ] = None,
    _quiet: QuietOption = False,
) -> None:
    """Download a known data set from Kaggle, check it, and print the path to give as --data."""
    from tuner.data.kaggle import KAGGLE_SETS
    from tuner.data.kaggle import fetch as fetch_set

    path = fetch_set(name, to, quiet=stderr().quiet)
    write(f"{path}\n")
    splits = (
        f"{split} " + " + ".join(f"{count:,} {label}" for label, count in counts.items())
        for split, counts in KAGGLE_SETS[name].counts.items()
    )
    note(f"{name}: complete; {', '.join(splits)}")
    note(f"Next       tuner data show {shlex.quote(str(path))}")
    note(f"           tuner search --data {shlex.quote(str(path))}")
