"""A word on data whose classes can be told apart without a look at what the images show."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.cli.output import note

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset
    from tuner.data.shortcuts import Shortcut

_MEANING = {
    "files": ("the files alone give classes away", "good figures on such data may rest on that"),
    "images": (
        "a plain property of the images tells classes apart",
        "it is in the images, not in their files; a model may rest on it alone",
    ),
}


def warn_of_shortcuts(dataset: Dataset, quiet: bool = False) -> tuple[Shortcut, ...]:
    """Say, in a line for files and one for images, what tells classes apart; return all that was looked at.

    All images of the data set count, whatever its splits.
    """
    from tuner.data.shortcuts import shortcuts

    found = shortcuts(dataset)
    for sentence in () if quiet else shortcut_sentences(found):
        note(f"Warning: in {Path(dataset.source).name} {sentence}")
    return found


def shortcut_rows(found: Sequence[Shortcut], warnings_only: bool = False) -> list[dict[str, Any]]:
    """Return what a file keeps of shortcuts, the strongest first."""
    return [dataclasses.asdict(s) for s in found if s.is_warning or not warnings_only]


def shortcut_sentences(found: Sequence[Shortcut]) -> list[str]:
    """Return a sentence on the files and one on the images, where there is something to warn of."""
    sentences = []
    for of, (what, so) in _MEANING.items():
        warned = [s for s in found if s.of == of and s.is_warning]
        listed = ", ".join(f"{s.feature} tells {s.class_name} apart (AUROC {s.auroc:.2f})" for s in warned)
        if warned:
            sentences.append(f"{what}: {listed}; {so}")
    return sentences
