"""`tuner data`: what is in a data set."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tuner.cli.options import FormatOption, QuietOption, options_of
from tuner.cli.output import make_table, note, show, stderr, stdout
from tuner.data_options import DataOptions
from tuner.option_fields import DATA, validated
from tuner.results.tables import rows_table

if TYPE_CHECKING:
    import pandas as pd

    from tuner.data.audit import Audit
    from tuner.data.dataset import Dataset

PATH = typer.Argument(help="A folder, an archive, a table of labels, arrays, or 'demo'.", show_default=False)
FACTS = ("name", "source", "fingerprint", "image_shape", "class_names", "positive_class")

app = typer.Typer(help="Data sets: images in classes.", no_args_is_help=True)


@app.command("show")
@options_of(DataOptions.model_fields, panel=DATA.title, variables=False)
def show_data(
    path: Annotated[str, PATH],
    seed: Annotated[int, typer.Option(help="Seed of the splits.")] = 0,
    form: FormatOption = "table",
    _quiet: QuietOption = False,
    **given: Any,
) -> None:
    """Show counts per split and class, sizes, duplicates, near copies, unreadable images and shortcuts."""
    options = validated(DataOptions, {"max_unusable": 1, **given})

    from tuner.cli.progress import progress_bar, waiting
    from tuner.data.audit import audit
    from tuner.data.dataset import load_dataset

    with progress_bar("decoding images") as advance:
        dataset = load_dataset(path, options, seed=seed, progress=advance)
    with waiting("looking for copies and shortcuts"):
        findings = audit(dataset)
    if form == "table":
        _print(dataset, findings)
    elif form == "json":
        summary = {name: getattr(dataset, name) for name in FACTS}
        print(json.dumps(summary | dataclasses.asdict(findings), indent=2, ensure_ascii=False))
    else:
        show(_counts(dataset, findings), form)


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="cifake (120,000 images) or faces (140,000).", metavar="NAME")],
    to: Annotated[
        Path | None, typer.Option("--to", help="A new folder for it; default: kagglehub's cache.")
    ] = None,
    _quiet: QuietOption = False,
) -> None:
    """Download a known data set from Kaggle, check it, and print the path to give as --data."""
    from tuner.data.kaggle import KAGGLE_SETS
    from tuner.data.kaggle import fetch as fetch_set

    path = fetch_set(name, to, quiet=stderr().quiet)
    print(path)
    splits = (
        f"{split} " + " + ".join(f"{count:,} {label}" for label, count in counts.items())
        for split, counts in KAGGLE_SETS[name].counts.items()
    )
    note(f"{name}: complete; {', '.join(splits)}")
    note(f"Next       tuner data show {shlex.quote(str(path))}")
    note(f"           tuner search --data {shlex.quote(str(path))}")


def _counts(dataset: Dataset, findings: Audit) -> pd.DataFrame:
    rows = (
        {"split": split, **counts, "images": sum(counts.values())}
        for split, counts in findings.counts.items()
    )
    return rows_table(rows, ("split", *dataset.class_names, "images"))


def _print(dataset: Dataset, findings: Audit) -> None:
    console = stdout()
    height, width, channels = dataset.image_shape
    positive = f"; positive class: {dataset.positive_class}" if dataset.positive_class else ""
    console.print(
        Text(
            f"{dataset.source}: {len(dataset.labels):,} images, {len(dataset.class_names)} classes{positive}",
            "bold",
        )
    )
    console.print(make_table(_counts(dataset, findings)))
    console.print()
    sizes = ", ".join(f"{s.width}x{s.height} ({s.num_images:,})" for s in findings.sizes[:3])
    more = f", {findings.num_sizes - 3} more" if findings.num_sizes > 3 else ""
    modes = ", ".join(f"{mode} ({count:,})" for mode, count in findings.modes.items())
    lines = [
        ("sizes", f"{sizes}{more}; trained on as {width}x{height}x{channels}"),
        ("modes", modes),
        ("duplicates", _duplicates(findings)),
        ("near copies", _near_copies(findings)),
        ("label conflicts", f"{findings.num_conflicts:,}" if findings.num_conflicts else "none"),
        ("unreadable", _unreadable(findings)),
    ]
    for name, text in lines:
        console.print(Text.assemble((f"{name:<16}", "dim"), text))
    from tuner.data.shortcuts import shortcut_sentences

    for sentence in shortcut_sentences(findings.shortcuts):
        console.print(Text(f"warning: {sentence}", "yellow"), soft_wrap=True)


def _duplicates(findings: Audit) -> str:
    parts = []
    for found in findings.duplicates:
        where = (
            f"within {found.first_split}"
            if found.first_split == found.second_split
            else f"of {found.second_split} also in {found.first_split}"
        )
        parts.append(f"{found.num_images:,} {where} (e.g. {' = '.join(found.examples[0])})")
    return "; ".join(parts) or "none"


def _near_copies(findings: Audit) -> str:
    parts = []
    for found in findings.near_copies:
        original = "train or validation" if found.split == "test" else "train"
        other = f", {found.num_other_class:,} of another class" if found.num_other_class else ""
        parts.append(
            f"{found.num_images:,} of {found.split} like one of {original}{other} "
            f"(e.g. {' ~ '.join(found.examples[0])})"
        )
    return "; ".join(parts) or "none"


def _unreadable(findings: Audit) -> str:
    if not findings.skipped:
        return "none"
    shown = "; ".join(f"{image.path} ({image.reason})" for image in findings.skipped[:5])
    more = f"; and {len(findings.skipped) - 5:,} more" if len(findings.skipped) > 5 else ""
    return f"{len(findings.skipped):,}: {shown}{more}"
