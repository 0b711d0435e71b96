"""`tuner best`: the winner of a run, or what can be made of its best trials, and the model as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer
from rich.table import Column, Table

from tuner.cli.evaluation_view import evaluation_view
from tuner.cli.options import DEFAULT_RESULTS_DIR, ResultsDirOption, RunArgument, TrustOption
from tuner.cli.output import MOST_VALUES, note, stdout, write_json
from tuner.cli.progress import progress_bar, waiting
from tuner.cli.review import load_evaluation, test_title
from tuner.cli.session_display import session_display
from tuner.cli.terminal import Text, write
from tuner.config import to_toml
from tuner.data.dataset import Dataset
from tuner.errors import DataError, UsageError
from tuner.evaluation.run_images import run_images
from tuner.files import replace_text
from tuner.home_folder import expanded
from tuner.models.export import check_request, export
from tuner.models.model_card import card_path, card_text, exports_beside
from tuner.models.run_model import RunModel, model_facts
from tuner.models.runtimes import Format, beside, export_format
from tuner.path_names import visible_json
from tuner.results.checked_json import damaged_file
from tuner.results.query import RunView, common_values, find_run
from tuner.results.schema import BEST, EVALUATION_FILE, TrialRecord
from tuner.tuning.single_request import single_request
from tuner.tuning.trusted_run import trusted

DEFAULT_SEEDS = 3
EXPORT = (
    "Write the model here: NAME.keras, .onnx or .tflite, or a folder for a SavedModel; with a card NAME.md."
)
CALIBRATED = "Export it with its probabilities calibrated, by the temperature chosen on validation."
RETRAIN = (
    "Train the best configuration anew on train and validation together, and measure it on the test split."
)
SEEDS = f"--retrain: with so many seeds, all of which are reported. Default: {DEFAULT_SEEDS}."
MAX_TIME = (
    "--retrain: stop after this long, e.g. 90s, 45m, 2h, for all models together; their last epochs are kept."
)
TOP = "--retrain: the best so many configurations by validation score. Default: 1."
ENSEMBLE = "Average the probabilities of the best so many trials in one model, compared with the best alone."
FORMAT = "How to print it; toml is the request of its configuration, for tuner train --config."
DATA = "Where the images of the run are now; default: where they were."
ACCEPT = (
    "--retrain, --ensemble: go on though the code of the search space changed since the run was begun; the "
    "run notes it."
)


def best(
    run: RunArgument = None,
    export_to: Annotated[
        str | None, typer.Option("--export", help=EXPORT, parser=expanded, metavar="PATH")
    ] = None,
    calibrated: Annotated[bool, typer.Option("--calibrated", help=CALIBRATED)] = False,
    retrain: Annotated[bool, typer.Option("--retrain", help=RETRAIN)] = False,
    seeds: Annotated[int | None, typer.Option(help=SEEDS, min=1, show_default=False)] = None,
    top: Annotated[int | None, typer.Option(help=TOP, min=1, show_default=False)] = None,
    max_time: Annotated[str | None, typer.Option(help=MAX_TIME, show_default=False)] = None,
    ensemble: Annotated[int | None, typer.Option(help=ENSEMBLE, min=2, show_default=False)] = None,
    data: Annotated[str | None, typer.Option(help=DATA, show_default=False)] = None,
    accept_changed_code: Annotated[bool, typer.Option("--accept-changed-code", help=ACCEPT)] = False,
    trust: TrustOption = False,
    form: Annotated[Literal["table", "json", "toml"], typer.Option("--format", help=FORMAT)] = "table",
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Show the best trial of a run; with --export, write its model and a card that describes it.

    With --retrain or --ensemble the same of what is made of the best trials.
    """
    of_retrain = {"--seeds": seeds, "--top": top, "--max-time": max_time}
    _check_together(form, export_to, calibrated, retrain, of_retrain, ensemble, data, accept_changed_code)
    kind = None if export_to is None else check_request(export_to, calibrated)
    view = find_run(run, results_dir, note)
    evaluation = load_evaluation(view)
    if retrain:
        from tuner.cli.retrain import retraining_display, summary_view
        from tuner.evaluation.retrained_model import Retraining, retrained_model

        request = Retraining(seeds or DEFAULT_SEEDS, top or 1, max_time, data, accept_changed_code, trust)
        own = trusted(view, trust)
        with retraining_display() as show:
            summary, model = retrained_model(own, request, show)
        _print(form, summary, f"Best of {view.run_id}, trained anew", summary_view(summary))
    elif ensemble is not None:
        from tuner.cli.ensemble import ensemble_view
        from tuner.evaluation.ensemble import ensemble_model

        own = trusted(view, trust)
        with session_display() as show:
            model = ensemble_model(own, ensemble, data, accept_changed_code, show)
        title = f"Ensemble of {view.run_id}: the mean of {ensemble} trials"
        _print(form, model_facts(model), title, ensemble_view(model))
    else:
        trial = view.evaluated_trial
        if trial is None:
            raise damaged_file(view.path / BEST / EVALUATION_FILE, "it is of a trial that the run lacks")
        model = RunModel(view, (trial,), evaluation)
        shown = (_table(view, trial), "", evaluation_view(evaluation, test_title(evaluation)))
        if form == "toml":
            write(visible_json(to_toml(single_request(view.config, trial.values))))
        else:
            _print(form, model_facts(model), f"Best of {view.run_id}: trial {trial.trial_id}", *shown)
    if export_to is not None and kind is not None:
        _export(model, export_to, kind, calibrated, data, trust)


def _check_together(
    form: str,
    export_to: str | None,
    calibrated: bool,
    retrain: bool,
    of_retrain: Mapping[str, object],
    ensemble: int | None,
    data: str | None,
    accept_changed_code: bool,
) -> None:
    """Refuse options that make no sense together.

    Raises:
        UsageError: some do.
    """
    if form == "toml" and (retrain or ensemble is not None):
        name = "--retrain" if retrain else "--ensemble"
        raise UsageError(f"--format toml is of one configuration. Leave out {name}, or take --format json.")
    if retrain and ensemble is not None:
        raise UsageError(
            "--retrain trains single models anew, --ensemble averages those of the search. Choose one."
        )
    for name, value in of_retrain.items():
        if value is not None and not retrain:
            raise UsageError(f"{name} says what --retrain is to train. Add --retrain, or leave {name} out.")
    if calibrated and (retrain or ensemble is not None):
        why = (
            "--retrain trains on the validation images, and leaves none to choose a temperature on"
            if retrain
            else "--calibrated divides the logits of one last layer, and an ensemble has several"
        )
        raise UsageError(f"{why}. Leave out --calibrated.")
    builds_again = retrain or ensemble is not None
    if accept_changed_code and not builds_again:
        raise UsageError(
            "--accept-changed-code is about models that --retrain or --ensemble builds again. Leave it out."
        )
    if export_to is None and (calibrated or (data is not None and not builds_again)):
        name = "--calibrated" if calibrated else "--data"
        raise UsageError(f"{name} is about an export. Name its file: --export model.keras")
    if export_to is not None:
        export_format(export_to)


def _print(form: str, facts: dict[str, Any], title: str, *shown: Any) -> None:
    if form == "json":
        write_json(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    stdout().print(Text(title, "bold"), soft_wrap=True)
    for each in shown:
        stdout().print(each)


def _table(run: RunView, trial: TrialRecord) -> Table:
    table = Table(Column(style="dim"), Column(), box=None, show_header=False, pad_edge=False)
    values, shown = trial.values, [*trial.values]
    if len(shown) > MOST_VALUES:
        common = common_values([each.values for each in run.trials]) if len(run.trials) > 1 else {}
        shown = [name for name in shown if name not in common][:MOST_VALUES]
    rows = {
        run.facts["objective"]: f"{trial.score:.4f}",
        "best epoch": f"{trial.best_epoch} of {trial.epochs} trained",
        "parameters": f"{trial.num_params or 0:,}",
        "trained for": f"{trial.duration_s:,.1f} s, {trial.images_per_s or 0:,.0f} images/s",
        # As --hp and --include take them.
        **{name: str(values[name]) for name in shown},
        **({"all": f"{len(values):,} hyperparameters, with --format json"} if shown != [*values] else {}),
    }
    for name, value in rows.items():
        table.add_row(Text(name), Text(value))
    return table


def _export(
    model: RunModel, target: str, form: Format, calibrated: bool, data: str | None, trust: bool
) -> None:
    """Write the model with its card, and say how far it is from the Keras model."""
    dataset: Dataset | None = None
    try:
        with progress_bar("reading images") as advance:
            dataset = run_images(model.run, data, advance, lambda text: note(f"Note       {text}"))
    except DataError as error:
        # A copy of the file needs no comparison; whoever named data wants one.
        if form != "keras" or calibrated or data is not None:
            raise
        reason = str(error)
    with waiting(f"exporting {target}"):
        done = export(model, target, form, calibrated, dataset, trust)
        card = card_path(done.path)
        replace_text(card, card_text(model, exports_beside(done)))
    described = f"{beside(done.path, '.json')}, {card}" if form == "keras" else str(card)
    if model.retrained is not None:
        note(f"Model      seed {model.retrained['seed']}, the first: fixed before any was measured")
    note(f"Exported   {done.path} ({done.size / 1e6:.1f} MB), {described}")
    if text := done.facts.get("note"):
        note(f"Code       {text}")
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
