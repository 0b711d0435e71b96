"""`tuner best`: the winner of a run, and its model as a file."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from tuner.cli.figures import evaluation_view
from tuner.cli.options import DEFAULT_RESULTS_DIR, ResultsDirOption, RunArgument
from tuner.cli.output import format_value, note, stdout
from tuner.cli.progress import decoding_bar, waiting
from tuner.cli.review import load_evaluation, test_title
from tuner.data.dataset import Dataset
from tuner.errors import DataError, UsageError
from tuner.evaluation.card import card_path, card_text, exports_beside
from tuner.evaluation.export import Winner, check_request, export, model_facts, run_images
from tuner.evaluation.runtimes import Format, export_format
from tuner.files import replace_text
from tuner.results.query import RunView, find_run
from tuner.results.schema import TrialRecord

EXPORT = (
    "Write the model here: NAME.keras, .onnx or .tflite, or a folder for a SavedModel; with a card NAME.md."
)
CALIBRATED = "Export it with its probabilities calibrated, by the temperature chosen on validation."
DATA = "Where the images of the run are now, to compare an export on; default: where they were."


def best(
    run: RunArgument = None,
    export_to: Annotated[str | None, typer.Option("--export", help=EXPORT, metavar="PATH")] = None,
    calibrated: Annotated[bool, typer.Option("--calibrated", help=CALIBRATED)] = False,
    data: Annotated[str | None, typer.Option(help=DATA, show_default=False)] = None,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Show the best trial of a run; with --export, write its model and a card that describes it."""
    if export_to is None and (calibrated or data is not None):
        name = "--calibrated" if calibrated else "--data"
        raise UsageError(f"{name} is about an export. Name its file: --export model.keras")
    if export_to is not None:
        export_format(export_to)
    view = find_run(run, results_dir)
    evaluation = load_evaluation(view)
    trial = next(trial for trial in view.trials if trial.trial_id == evaluation["trial_id"])
    winner = Winner(view, trial, evaluation)
    if export_to is not None:
        kind = check_request(export_to, calibrated, winner)
    if form == "json":
        print(json.dumps(model_facts(winner), indent=2, ensure_ascii=False))
    else:
        stdout().print(Text(f"Best of {view.run_id}: trial {trial.trial_id}", "bold"), soft_wrap=True)
        stdout().print(_table(view, trial))
        stdout().print()
        stdout().print(evaluation_view(evaluation, test_title(evaluation)))
    if export_to is not None:
        _export(winner, export_to, kind, calibrated, data)


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


def _export(winner: Winner, target: str, form: Format, calibrated: bool, data: str | None) -> None:
    """Write the model with its card, and say how far it is from the Keras model."""
    dataset: Dataset | None = None
    try:
        with decoding_bar(quiet=False) as advance:
            dataset = run_images(winner.run, data, advance)
    except DataError as error:
        # A copy of the file needs no comparison; whoever named data wants one.
        if form != "keras" or calibrated or data is not None:
            raise
        reason = str(error)
    with waiting(f"exporting {target}", quiet=False):
        done = export(winner, target, form, calibrated, dataset)
        card = card_path(done.path)
        replace_text(card, card_text(winner, exports_beside(done)))
    beside = f"{done.path.with_suffix('.json')}, {card}" if form == "keras" else str(card)
    note(f"Exported   {done.path} ({done.size / 1e6:.1f} MB), {beside}")
    if temperature := done.facts["calibrated_by"]:
        note(f"Calibrated by temperature {temperature:.4g}, chosen on validation")
    if parity := done.facts["parity"]:
        note(
            f"Parity     largest difference in probability from the Keras model "
            f"{parity['largest_difference']:.1e} on {parity['images']:,} validation images "
            f"(allowed: {parity['allowed']:g})"
        )
    else:
        note(f"Parity     not compared, a plain copy: {reason}")
