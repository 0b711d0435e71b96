"""A word on data whose classes can be told apart without looking at the images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tuner.cli.data import WARN_AUROC
from tuner.cli.output import note
from tuner.data.audit import audit
from tuner.data.dataset import Dataset


def warn_of_shortcuts(dataset: Dataset) -> list[dict[str, Any]]:
    """Say in one line which properties of the files alone tell classes apart; return them, strongest first.

    All images of the data set count, whatever its splits.
    """
    found = [shortcut for shortcut in audit(dataset).shortcuts if shortcut.auroc >= WARN_AUROC]
    if found:
        listed = ", ".join(f"{s.feature} tells {s.class_name} apart (AUROC {s.auroc:.2f})" for s in found)
        note(
            f"Warning: in {Path(dataset.source).name} files alone give classes away: {listed}; "
            "good figures on such data may rest on that"
        )
    return [dataclasses.asdict(shortcut) for shortcut in found]
