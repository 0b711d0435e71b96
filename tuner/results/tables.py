"""The files people open: CSV and JSON, replaced whole so that a reader never sees a part."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tuner.files import replace_text
from tuner.results.schema import EPOCH_COLUMNS, HP_PREFIX, TRIAL_COLUMNS, EpochRecord, TrialRecord


def trial_rows(trials: Sequence[TrialRecord], objective: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns of trials.csv and a row for each trial; what a trial lacks is absent."""
    metrics = sorted(
        {name for trial in trials for name in trial.metrics},
        key=lambda name: (name.startswith("val_"), name),
    )
    hyperparameters = list(dict.fromkeys(name for trial in trials for name in trial.values))
    columns = [*TRIAL_COLUMNS, *metrics, *(HP_PREFIX + name for name in hyperparameters)]
    rows = []
    for trial in trials:
        facts = {
            name: getattr(trial, name)
            for name in TRIAL_COLUMNS
            if name != "objective" and getattr(trial, name) is not None
        }
        hps = {HP_PREFIX + name: value for name, value in trial.values.items()}
        rows.append({**facts, "objective": objective, **trial.metrics, **hps})
    return columns, rows


def write_trials(path: Path, trials: Sequence[TrialRecord], objective: str) -> None:
    """Replace trials.csv: one row a trial."""
    columns, rows = trial_rows(trials, objective)
    replace_text(path, csv_text(columns, rows))


def write_epochs(path: Path, epochs: Iterable[EpochRecord]) -> None:
    """Replace epochs.csv: one row a metric of an epoch."""
    replace_text(path, csv_text(EPOCH_COLUMNS, [dataclasses.asdict(epoch) for epoch in epochs]))


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file; numbers that are not finite are refused rather than written as no JSON."""
    replace_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV with a header line; what a row lacks stays empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
