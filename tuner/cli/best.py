"""`tuner best`: the winner of a run, and its model as a file."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from tuner.cli.figures import evaluation_view
from tuner.cli.options import DEFAULT_RESULTS_DIR, ResultsDirOption, RunArgument
from tuner.cli.output import format_value, note, stdout
from tuner.cli.review import load_evaluation, test_title
from tuner.errors import TunerError, UsageError
from tuner.evaluation.metrics import chosen_before
from tuner.evaluation.models import trained_on
from tuner.files import replacing
from tuner.results.query import RunView, find_run, reference
from tuner.results.schema import BEST, MODEL_FILE, TrialRecord
from tuner.results.tables import write_json

SUFFIX = ".keras"


def best(
    run: RunArgument = None,
    export: Annotated[Path | None, typer.Option(help="Write the model here, as NAME.keras.")] = None,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Show the best trial of a run; with --export, write its model."""
    if export is not None and export.suffix != SUFFIX:
        raise UsageError(f"cannot export to '{export}': the suffix tells the format. Allowed: {SUFFIX}.")
    view = find_run(run, results_dir)
    evaluation = load_evaluation(view)
    trial = next(trial for trial in view.trials if trial.trial_id == evaluation["trial_id"])
    if form == "json":
        print(json.dumps(_facts(view, trial, evaluation), indent=2, ensure_ascii=False))
    else:
        stdout().print(Text(f"Best of {view.run_id}: trial {trial.trial_id}", "bold"), soft_wrap=True)
        stdout().print(_table(view, trial))
        stdout().print()
        stdout().print(evaluation_view(evaluation, test_title(evaluation)))
    if export is not None:
        _export(view, trial, evaluation, export)


def _facts(run: RunView, trial: TrialRecord, evaluation: dict[str, Any]) -> dict[str, Any]:
    """What `tuner evaluate` needs of an exported model, and what a reader wants to know."""
    data = run.facts["data"]
    chosen = chosen_before(evaluation)
    return {
        "run_id": run.run_id,
        "trial_id": trial.trial_id,
        "class_names": data["class_names"],
        "positive_class": data["positive_class"],
        # Chosen on validation; null in runs from before that was done, a threshold also for more classes.
        "threshold": chosen.threshold,
        "temperature": chosen.temperature,
        "image_shape": data["image_shape"],
        "input": f"raw pixels 0..255, shape (batch, {', '.join(map(str, data['image_shape']))})",
        "hyperparameters": trial.values,
        "best_epoch": trial.best_epoch,
        "num_params": trial.num_params,
        "duration_s": trial.duration_s,
        "trained_on": dataclasses.asdict(trained_on(run.facts)),
        "objective": run.facts["objective"],
        "score": trial.score,
        "metrics": trial.metrics,
        "test": {key: evaluation[key] for key in ("accuracy", "accuracy_interval_95", "images")},
    }


def _table(run: RunView, trial: TrialRecord) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    rows = {
        run.facts["objective"]: f"{trial.score:.4f}",
        "best epoch": f"{trial.best_epoch} of {trial.epochs} trained",
        "parameters": f"{trial.num_params or 0:,}",
        "trained for": f"{trial.duration_s:,.1f} s, {trial.images_per_s or 0:,.0f} images/s",
        **{name.replace("_", " "): format_value(value) for name, value in trial.values.items()},
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _export(run: RunView, trial: TrialRecord, evaluation: dict[str, Any], target: Path) -> None:
    """Copy the model, with its classes and hyperparameters beside it as JSON."""
    source = run.path / BEST / MODEL_FILE
    if not source.is_file():
        raise TunerError(f"'{source}' is gone. Make it again with: tuner resume {reference(run.path)}")
    with replacing(target) as draft:
        shutil.copyfile(source, draft)
    write_json(target.with_suffix(".json"), _facts(run, trial, evaluation))
    note(f"Exported   {target} ({target.stat().st_size / 1e6:.1f} MB) and {target.with_suffix('.json')}")
