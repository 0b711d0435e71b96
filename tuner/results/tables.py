"""The files people open: CSV and JSON, replaced whole so that a reader never sees a part."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, TextIO

from tuner.files import replace_text, replacing
from tuner.results.schema import EPOCH_COLUMNS, HP_PREFIX, TRIAL_COLUMNS, EpochRecord, TrialRecord


def trial_rows(trials: Sequence[TrialRecord], objective: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns of trials.csv and a row for each trial; what a trial lacks is absent."""
    return _columns(trials), [_row(trial, objective) for trial in trials]


def _columns(trials: Sequence[TrialRecord]) -> list[str]:
    metrics = sorted(
        {name for trial in trials for name in trial.metrics},
        key=lambda name: (name.startswith("val_"), name),
    )
    hyperparameters = list(dict.fromkeys(name for trial in trials for name in trial.values))
    return [*TRIAL_COLUMNS, *metrics, *(HP_PREFIX + name for name in hyperparameters)]


def _row(trial: TrialRecord, objective: str) -> dict[str, Any]:
    facts = {
        name: getattr(trial, name)
        for name in TRIAL_COLUMNS
        if name != "objective" and getattr(trial, name) is not None
    }
    hps = {HP_PREFIX + name: value for name, value in trial.values.items()}
    return {**facts, "objective": objective, **trial.metrics, **hps}


def write_trials(path: Path, trials: Sequence[TrialRecord], objective: str) -> None:
    """Replace trials.csv: one row a trial."""
    columns = _columns(trials)
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        _write_csv(file, columns, (_row(trial, objective) for trial in trials))


def write_epochs(path: Path, epochs: Iterable[EpochRecord]) -> None:
    """Replace epochs.csv: one row a metric of an epoch."""
    values = attrgetter(*EPOCH_COLUMNS)
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(EPOCH_COLUMNS)
        writer.writerows(map(values, epochs))


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file; numbers that are not finite are refused rather than written as no JSON."""
    replace_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV with a header line; what a row lacks stays empty."""
    text = io.StringIO(newline="")
    _write_csv(text, columns, rows)
    return text.getvalue()


def _write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
