"""Figures of jobs that do the same work, and how many times better one of them is."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.machine import Usage
from benchmarks.output import table

OURS = "tuner"
# Of SPENT less is better, of GAINED more; ratios are taken so that above 1 `tuner` is ahead.
FIGURES = {
    "seconds": "seconds, whole job",
    "imports_s": "  until libraries are imported",
    "startup_s": "  until the first trial trains",
    "preparation_s": "  decoding images alone",
    "train_s": "  in training steps",
    "images_per_s": "images/s, whole job",
    "step_images_per_s": "images/s, training steps",
    "outside_share": "share outside training, validation",
    "cpu_s": "CPU seconds",
    "peak_mib": "peak memory, MiB",
    "val_accuracy": "best validation accuracy",
}
SPENT = ("seconds", "startup_s", "train_s", "cpu_s", "peak_mib")
GAINED = ("images_per_s", "step_images_per_s")

Figures = dict[str, float | None]


def figures(usage: Usage, measured: Mapping[str, float | None]) -> Figures:
    """Return what a job used together with what follows from it and its own times."""
    images, train_s, validation_s = (measured.get(name) for name in ("images", "train_s", "validation_s"))
    assert images is not None
    assert train_s is not None
    share = None if validation_s is None else 1 - (train_s + validation_s) / usage.wall_s
    return {
        **measured,
        "seconds": usage.wall_s,
        "images_per_s": images / usage.wall_s,
        "step_images_per_s": images / train_s,
        "outside_share": share,
        "cpu_s": usage.cpu_s,
        "peak_mib": usage.peak_mib,
    }


def medians(rounds: Sequence[Figures]) -> Figures:
    """Return the median of each figure over the rounds; None where no round has it."""
    names = dict.fromkeys(name for figures_ in rounds for name in figures_)
    found: Figures = {}
    for name in names:
        values = [value for figures_ in rounds if (value := figures_.get(name)) is not None]
        found[name] = statistics.median(values) if values else None
    return found


def ratios(summary: Mapping[str, Figures]) -> dict[str, Figures]:
    """Return for each peer how many times better `tuner` is: above 1, it is ahead."""
    ours = summary[OURS]
    found: dict[str, Figures] = {}
    for name, peer in summary.items():
        if name != OURS:
            found[name] = {
                **{figure: _ratio(peer.get(figure), ours.get(figure)) for figure in SPENT},
                **{figure: _ratio(ours.get(figure), peer.get(figure)) for figure in GAINED},
            }
    return found


def report(summary: Mapping[str, Figures]) -> str:
    """Return the table of one batch size: figures, then ratios."""
    names = list(summary)
    rows: list[list[object]] = [["", *names]]
    rows += [[label, *(summary[name].get(key) for name in names)] for key, label in FIGURES.items()]
    rows += [["", *[""] * len(names)], ["times better is tuner", *[""] * len(names)]]
    better = ratios(summary)
    for figure in (*SPENT, *GAINED):
        label = FIGURES[figure].strip()
        rows.append([f"  {label}", *(better.get(name, {}).get(figure, "") for name in names)])
    return table(rows)


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None
