"""What `tuner data show` prints: a row for each class, and a line for each finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.cli.output import Format, make_table, stdout
from tuner.cli.terminal import Text
from tuner.data.audit import Audit
from tuner.data.dataset import Dataset
from tuner.data.sample_size import sample_notes
from tuner.data.shortcuts import shortcut_sentences
from tuner.data_options import SPLITS
from tuner.results.tables import rows_table
from tuner.sources.listing import NO_GROUP
from tuner.statistics.confusion import MANY_CLASSES

CLASS_COLUMNS = ("class", *SPLITS, "images")
Row = tuple[Any, ...]
# Of many rows the table has so many of the largest, and as many of the smallest.
_AT_EACH_END = 5
_WIDEST_GROUPS = 8
_SHOWN_UNUSABLE = 5


def class_rows(dataset: Dataset, findings: Audit) -> list[Row]:
    """Return a row of CLASS_COLUMNS for each class."""
    counts = [[findings.counts[split][name] for split in SPLITS] for name in dataset.class_names]
    return [(name, *each, sum(each)) for name, each in zip(dataset.class_names, counts, strict=True)]


def group_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Return the number of images of each class in each group; images of no group are left out."""
    names, kinds = dataset.class_names, dataset.group_names
    found = dataset.records["group"]
    own = found != NO_GROUP
    counts = np.zeros((len(kinds), len(names)), int)
    np.add.at(counts, (found[own], dataset.labels[own]), 1)
    return {
        kind: dict(zip(names, row, strict=True)) for kind, row in zip(kinds, counts.tolist(), strict=True)
    }


def print_data(dataset: Dataset, findings: Audit) -> None:
    """Print the counts, the findings and the notes."""
    console = stdout()
    positive = f"; positive class: {dataset.positive_class}" if dataset.positive_class else ""
    head = f"{dataset.source}: {len(dataset.labels):,} images, {len(dataset.class_names):,} classes{positive}"
    console.print(Text(head, "bold"))
    _print_rows(CLASS_COLUMNS, class_rows(dataset, findings), "classes", "csv")
    if dataset.group_names:
        console.print()
        _print_groups(dataset)
    console.print()
    notes = (("note", text) for text in data_notes(dataset, findings))
    for name, text in (*_lines(dataset, findings), *notes):
        console.print(Text.assemble((f"{name:<16}", "dim"), text), soft_wrap=True)
    for sentence in shortcut_sentences(findings.shortcuts):
        console.print(Text(f"warning: {sentence}", "yellow"), soft_wrap=True)


def data_notes(dataset: Dataset, findings: Audit) -> tuple[str, ...]:
    """Return the sentences on the reading of the images, and on splits that are too small or uneven."""
    return (*dataset.notes, *sample_notes(findings.counts))


def _print_groups(dataset: Dataset) -> None:
    """Print a row for each group: its images of each class, where classes are few, and its images."""
    names = dataset.class_names if len(dataset.class_names) <= _WIDEST_GROUPS else ()
    rows = [
        (kind, *(counts[name] for name in names), sum(counts.values()))
        for kind, counts in group_counts(dataset).items()
    ]
    _print_rows(("group", *names, "images"), rows, "groups", "json")


def _print_rows(columns: Sequence[str], rows: list[Row], noun: str, whole: Format) -> None:
    """Print rows that begin with a name and end with a number of images, and the sums of all.

    Of many rows there are the largest and the smallest.
    """
    console, shown = stdout(), rows
    if len(rows) > MANY_CLASSES:
        ordered = sorted(rows, key=lambda row: -row[-1])
        middle = [row[-1] for row in ordered[_AT_EACH_END:-_AT_EACH_END]]
        gap = ("...", *(None for _ in columns[1:]))
        shown = [*ordered[:_AT_EACH_END], gap, *ordered[-_AT_EACH_END:]]
    total = (f"all {len(rows):,}", *map(sum, list(zip(*rows, strict=True))[1:]))
    console.print(make_table(rows_table([*shown, total], columns)))
    if shown is not rows:
        text = (
            f"the largest and the smallest {_AT_EACH_END}; the other {len(middle):,} {noun} have "
            f"{middle[-1]:,} to {middle[0]:,} images each; --format {whole} has all"
        )
        console.print(Text(text, "dim"), soft_wrap=True)


def _lines(dataset: Dataset, findings: Audit) -> list[tuple[str, str]]:
    height, width, channels = dataset.image_shape
    sizes = ", ".join(f"{s.width}x{s.height} ({s.num_images:,})" for s in findings.sizes[:3])
    more = f", {findings.num_sizes - 3} more" if findings.num_sizes > 3 else ""
    pixels = dataset.pixel_stats
    return [
        ("sizes", f"{sizes}{more}; trained on as {width}x{height}x{channels}"),
        ("modes", ", ".join(f"{mode} ({count:,})" for mode, count in findings.modes.items())),
        ("pixels", f"{pixels.minimum} to {pixels.maximum}, mean {pixels.mean:.4g}"),
        ("duplicates", _duplicates(findings)),
        ("near copies", _near_copies(findings)),
        ("label conflicts", f"{findings.num_conflicts:,}" if findings.num_conflicts else "none"),
        ("unusable", _unusable(findings)),
    ]


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


def _unusable(findings: Audit) -> str:
    if not findings.skipped:
        return "none"
    shown = "; ".join(f"{image.path} ({image.reason})" for image in findings.skipped[:_SHOWN_UNUSABLE])
    others = len(findings.skipped) - _SHOWN_UNUSABLE
    more = f"; and {others:,} more, which --unusable lists" if others > 0 else ""
    return f"{len(findings.skipped):,}: {shown}{more}"
