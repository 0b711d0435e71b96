"""`tuner evaluate`: a model on any labelled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli.cross_evaluation import MATRIX_FILE, matrix_files, print_matrix, write_matrix
from tuner.cli.evaluation_view import FIGURE_COLUMNS, accuracy_text, evaluation_view, figure_rows
from tuner.cli.options import (
    DEFAULT_RESULTS_DIR,
    FormatOption,
    QuietOption,
    ResultsDirOption,
    TrustOption,
    options_of,
)
from tuner.cli.output import Format, note, say, show, stdout, write_json
from tuner.cli.robustness import robustness_figure_rows, robustness_view
from tuner.cli.session_display import session_display
from tuner.cli.terminal import Text
from tuner.data_options import DataOptions
from tuner.errors import UsageError
from tuner.evaluation.evaluated_predictions import EvaluatedPredictions
from tuner.evaluation.labelled_images import READING, Split
from tuner.evaluation.model_evaluation import (
    WRITTEN_FILES,
    EvaluationRequest,
    ModelEvaluation,
    evaluate_models,
    evaluate_predictions,
)
from tuner.evaluation.run_robustness import write_run_robustness
from tuner.home_folder import expanded_path
from tuner.models.loading import describe_model
from tuner.option_fields import DATA, option_name, validated
from tuner.results.schema import ROBUSTNESS_FILE, ROBUSTNESS_FILES
from tuner.results.tables import json_text, rows_table

MODELS = typer.Argument(
    metavar="MODEL",
    help="An exported model, or a run: its winner. Several: each on all data.",
    show_default=False,
)
DATA_SETS = (
    "Labelled images: a folder, an archive, a table of labels, arrays, or 'demo'; several, or A,B: the "
    "model on each. Default for a run: its own."
)
MAP = "Which class of the model is which of the data, as MODEL=DATA,..., where names differ."
SPLIT = "Which images; default: the test split where there is one, else all."
LIMIT = "Take a stratified sample of so many images."
COMPARE = "Another model, run or predictions.csv: is one better on the same images? (McNemar)"
PREDICTIONS = "Compute the figures from a predictions.csv instead of with a model."
THRESHOLD = "On the positive class, 0 to 1; default: as chosen on validation after the search."
POSITIVE = "The positive class; default: as in the search of the model."
CLASSES = "Names of the model's outputs, as A,B,..., for a file without its .json."
ROBUSTNESS = (
    "Also under JPEG, blur, noise, rescaling, crop, brightness, watermark, in several strengths. "
    "Of a run on its own test split this is kept for its report."
)
OUT = (
    f"Write {', '.join(WRITTEN_FILES)} into this folder, with --robustness also "
    f"{', '.join(ROBUSTNESS_FILES)}; of several models or data sets also {MATRIX_FILE}. "
    "Default: no such folder."
)
FOR_ONE = "is for one model on one data set, and there are several. Leave it out, or give one of each"
NEEDS_MODEL = "makes no sense beside --predictions, which holds all that is evaluated. Leave it out"


@options_of(READING, panel=DATA.title, variables=False)
def evaluate(
    models: Annotated[list[str] | None, MODELS] = None,
    data: Annotated[list[str] | None, typer.Option(help=DATA_SETS, show_default=False)] = None,
    class_map: Annotated[list[str] | None, typer.Option("--map", help=MAP, show_default=False)] = None,
    split: Annotated[Split | None, typer.Option(help=SPLIT, show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(help=LIMIT, min=1)] = None,
    compare: Annotated[str | None, typer.Option(help=COMPARE)] = None,
    predictions: Annotated[Path | None, typer.Option(help=PREDICTIONS)] = None,
    threshold: Annotated[float | None, typer.Option(help=THRESHOLD, show_default=False)] = None,
    positive: Annotated[str | None, typer.Option(help=POSITIVE, show_default=False)] = None,
    classes: Annotated[str | None, typer.Option(help=CLASSES, show_default=False)] = None,
    with_robustness: Annotated[bool, typer.Option("--robustness", help=ROBUSTNESS)] = False,
    out: Annotated[
        Path | None, typer.Option(help=OUT, show_default=False, parser=expanded_path, metavar="PATH")
    ] = None,
    trust: TrustOption = False,
    form: FormatOption = "table",
    _quiet: QuietOption = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
    **given: Any,
) -> None:
    """Judge a model on labelled images: every figure with what it rests on, at 0.5 and at a threshold
    that was chosen on validation images, never on these. Several models or data sets: each model on each
    data set, with accuracy and AUROC."""
    references, sources = models or [], _data_sets(data or [])
    several = predictions is None and (len(references) > 1 or len(sources) > 1)
    robust = with_robustness or None
    if several:
        _refuse({"--compare": compare, "--threshold": threshold, "--robustness": robust}, FOR_ONE)
    if predictions is not None:
        of_models = {"MODEL": models or None, "--data": data or None, "--map": class_map or None}
        of_data = {"--split": split, "--limit": limit, "--robustness": robust}
        of_reading = {option_name(field): value for field, value in given.items()}
        _refuse(of_models | of_data | of_reading, NEEDS_MODEL)
    files = [*WRITTEN_FILES, *(ROBUSTNESS_FILES if with_robustness else ())]
    _require_free(out, matrix_files(references, sources) if several else files)
    names = tuple(classes.split(",")) if classes else ()
    facts = [describe_model(reference, results_dir, names) for reference in references]
    other = None
    if compare is not None:
        is_file = Path(compare).suffix == ".csv"
        other = Path(compare) if is_file else describe_model(compare, results_dir)
    pairs = _class_pairs(class_map or [])
    options = validated(DataOptions, given)
    request = EvaluationRequest(
        split, pairs, limit, threshold, positive, other, with_robustness, options, trust
    )
    if predictions is not None:
        results = [evaluate_predictions(predictions, request)]
    else:
        with session_display() as listener:
            results = evaluate_models(facts, sources, request, listener)
    if several:
        print_matrix(results, form)
        if out is not None:
            write_matrix(out, results)
        return
    (result,) = results
    if kept := write_run_robustness(result):
        say(f"Kept       {kept / ROBUSTNESS_FILE}; tuner report {result.name} draws it")
    _tell_of_threshold(result.predictions)
    _print(result, form)
    if out is not None:
        say(f"Written    {out}: {', '.join(result.write(out))}")


def _data_sets(texts: Sequence[str]) -> list[str]:
    """Return each data set that is named: A,B are two, unless there is a file or folder of that name."""
    parts = ([text] if expanded_path(text).exists() else text.split(",") for text in texts)
    return [source for part in parts for source in part]


def _class_pairs(texts: Sequence[str]) -> dict[str, str]:
    """Return class of the data -> class of the model, from MODEL=DATA,...

    Raises:
        UsageError: a part is no pair, or a class of the data is in two.
    """
    pairs: dict[str, str] = {}
    for part in ",".join(texts).split(",") if texts else ():
        model_name, sign, data_name = (piece.strip() for piece in part.partition("="))
        if not (model_name and sign and data_name):
            raise UsageError(
                f"--map '{part}' makes no pair. Allowed: MODEL=DATA,... such as REAL=photo,FAKE=generated."
            )
        if data_name in pairs:
            raise UsageError(f"--map names class '{data_name}' of the data twice. Name each once.")
        pairs[data_name] = model_name
    return pairs


def _refuse(options: Mapping[str, Any], reason: str) -> None:
    """Refuse those of these options that are given, for a reason that begins with a verb."""
    if given := [name for name, value in options.items() if value is not None]:
        raise UsageError(f"{', '.join(given)} {reason}.")


def _require_free(out: Path | None, names: Sequence[str]) -> None:
    """Refuse before the work what could only be overwritten after it."""
    for name in names:
        if out is not None and (out / name).exists():
            raise UsageError(f"'{out / name}' exists and is not overwritten. Name another folder with --out.")


def _tell_of_threshold(judged: EvaluatedPredictions) -> None:
    """Tell why there are no figures at a threshold, where one would expect them."""
    if judged.positive is None or len(judged.predictions.class_names) > 2:
        return
    if judged.chosen.threshold is None:
        note(
            "Threshold  none: the model was trained on the validation images too; --threshold gives one"
            if "trained_on_validation" in judged.facts
            else "Threshold  none was chosen on validation images for this model; --threshold gives one"
        )
    elif "chosen_in" in judged.facts and judged.chosen.source == "validation":
        note(f"Threshold  as {judged.facts['chosen_in']} has it")


def _print(result: ModelEvaluation, form: Format) -> None:
    evaluation, corrupted = result.evaluation, result.robustness
    if form == "json":
        whole = evaluation if corrupted is None else {**evaluation, "robustness": corrupted}
        write_json(json_text(whole))
        return
    if form != "table":
        more = [] if corrupted is None else robustness_figure_rows(corrupted)
        show(rows_table([*figure_rows(evaluation), *more], FIGURE_COLUMNS), form)
        return
    console = stdout()
    console.print(evaluation_view(evaluation, result.title))
    if found := evaluation.get("comparison"):
        name, other = result.name, found["other"]
        console.print()
        console.print(Text(f"{name} and {other}: {found['verdict']}", "bold"))
        facts = (
            f"{other} has accuracy {accuracy_text(found)}; only {name} is right on "
            f"{found['only_this_right']:,} images, only {other} on {found['only_other_right']:,} "
            f"({found['test']})"
        )
        console.print(Text(facts))
    if corrupted is not None:
        console.print()
        console.print(robustness_view(corrupted))
