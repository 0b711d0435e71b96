"""`tuner evaluate`: a model on any labelled images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from tuner.cli.figures import FIGURE_COLUMNS, evaluation_view, figure_rows
from tuner.cli.options import DEFAULT_RESULTS_DIR, FormatOption, QuietOption, ResultsDirOption
from tuner.cli.output import note, print_rows, stdout
from tuner.cli.progress import decoding_bar, waiting
from tuner.errors import UsageError
from tuner.evaluation.judged import Judged, compared, judge, judged_before
from tuner.evaluation.labelled import LabelledImages, Split, labelled_images, same_images
from tuner.evaluation.models import ModelFacts, TrainedModel, describe_model, load_model
from tuner.evaluation.predictions import Predictions, read_predictions, write_predictions
from tuner.results.schema import EVALUATION_FILE, PREDICTIONS_FILE
from tuner.results.tables import write_json

MODEL = typer.Argument(help="A .keras file, or a run: its winner.", show_default=False)
DATA = "Labelled images: a folder, a .zip, a .npz, or 'demo'."
MAP = "Which class of the model is which of the data, as MODEL=DATA,..., where names differ."
SPLIT = "Which images; default: the test split where there is one, else all."
LIMIT = "Take a stratified sample of so many images."
COMPARE = "Another model, run or predictions.csv: is one better on the same images? (McNemar)"
PREDICTIONS = "Compute the figures from a predictions.csv instead of with a model."
THRESHOLD = "On the positive class, 0 to 1; default: as chosen on validation after the search."
POSITIVE = "The positive class; default: as in the search of the model."
CLASSES = "Names of the model's outputs, as A,B,..., for a file without its .json."
OUT = f"Write {EVALUATION_FILE} and {PREDICTIONS_FILE} into this folder; default: nothing is written."


def evaluate(
    model: Annotated[str | None, MODEL] = None,
    data: Annotated[str | None, typer.Option(help=DATA)] = None,
    class_map: Annotated[list[str] | None, typer.Option("--map", help=MAP, show_default=False)] = None,
    split: Annotated[Split | None, typer.Option(help=SPLIT, show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(help=LIMIT, min=1)] = None,
    compare: Annotated[str | None, typer.Option(help=COMPARE)] = None,
    predictions: Annotated[Path | None, typer.Option(help=PREDICTIONS)] = None,
    threshold: Annotated[float | None, typer.Option(help=THRESHOLD, show_default=False)] = None,
    positive: Annotated[str | None, typer.Option(help=POSITIVE, show_default=False)] = None,
    classes: Annotated[str | None, typer.Option(help=CLASSES, show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help=OUT, show_default=False)] = None,
    form: FormatOption = "table",
    quiet: QuietOption = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Judge a model on labelled images: every figure with what it rests on, at 0.5 and at a threshold
    that was chosen on validation images, never on these."""
    _require_free(out)
    other: Predictions | None = None
    if predictions is not None:
        given = {"MODEL": model, "--data": data, "--map": class_map, "--split": split, "--limit": limit}
        _refuse_beside_predictions([name for name, value in given.items() if value is not None])
        name, title = str(predictions), str(predictions)
        judged = judged_before(predictions).at(threshold, positive)
        if compare is not None:
            other = _predictions_file(compare)
    else:
        if model is None or data is None:
            missing = "MODEL" if model is None else "--data"
            raise UsageError(
                f"{missing} is missing. Needed: a model and labelled images, or --predictions. "
                "Type: tuner evaluate model.keras --data images.zip"
            )
        pairs = _pairs(class_map or [])
        name, facts = model, describe_model(model, results_dir, tuple(classes.split(",")) if classes else ())
        other_facts = None
        if compare is not None and not _is_csv(compare):
            other_facts = describe_model(compare, results_dir)
        trained = _load(facts, quiet)
        with decoding_bar(quiet) as advance:
            images = labelled_images(data, trained, split, pairs, limit, advance)
        title = f"{model} on {data}: {images.why}"
        _tell(images, model, quiet)
        with waiting(f"predicting {len(images.indices):,} images", quiet):
            judged = judge(trained, images).at(threshold, positive)
        if other_facts is not None:
            other = _other(images, data, _load(other_facts, quiet), pairs, quiet)
        elif compare is not None:
            other = read_predictions(Path(compare))
    evaluation = judged.evaluation()
    if compare is not None and other is not None:
        evaluation["comparison"] = compared(name, judged, compare, other)
    if not quiet:
        _tell_of_threshold(judged)
    _print(evaluation, title, name, form)
    if out is not None:
        write_predictions(out / PREDICTIONS_FILE, judged.predictions)
        write_json(out / EVALUATION_FILE, evaluation)
        note(f"Written    {out / EVALUATION_FILE}, {PREDICTIONS_FILE}")


def _load(facts: ModelFacts, quiet: bool) -> TrainedModel:
    with waiting(f"loading {facts.name}", quiet):
        return load_model(facts)


def _other(
    images: LabelledImages, source: str, model: TrainedModel, pairs: Mapping[str, str], quiet: bool
) -> Predictions:
    """What the other model says of the same images, in the size that it takes."""
    with decoding_bar(quiet) as advance:
        others = same_images(images, source, model, pairs, advance)
    if others.seen:
        _warn_of_seen(others, model.facts.name)
    with waiting(f"predicting {len(others.indices):,} images", quiet):
        return others.predictions(model.predict(others.dataset.images, others.indices))


def _tell(images: LabelledImages, name: str, quiet: bool) -> None:
    """Which images these are, and under which names; what has been seen is said even when quiet."""
    if not quiet:
        note(f"Images     {len(images.indices):,}: {images.why}")
        names = images.dataset.class_names
        pairs = sorted(set(zip(images.dataset.labels[images.indices], images.labels, strict=True)))
        renamed = [
            f"{names[i]} is {images.class_names[k]}" for i, k in pairs if names[i] != images.class_names[k]
        ]
        if renamed:
            note(f"Classes    {', '.join(renamed)}")
    if images.seen:
        _warn_of_seen(images, name)


def _warn_of_seen(images: LabelledImages, name: str) -> None:
    note(
        f"Warning: {images.seen:,} of {len(images.indices):,} images were in the training or validation of "
        f"{name}; such figures say nothing about new images."
    )


def _tell_of_threshold(judged: Judged) -> None:
    """Why there are no figures at a threshold, where one would expect them."""
    if judged.positive is None or len(judged.predictions.class_names) > 2:
        return
    if judged.chosen.threshold is None:
        note(
            "Threshold  none was chosen on validation images for this model; --threshold gives one, and "
            "evaluating it on the data it was trained on chooses one"
        )
    elif "chosen_in" in judged.facts and judged.chosen.source == "validation":
        note(f"Threshold  as {judged.facts['chosen_in']} has it")
    elif images := judged.facts.get("chosen_now_on"):
        note(f"Threshold  chosen now, on {images:,} validation images of the search")


def _print(evaluation: dict[str, Any], title: str, name: str, form: str) -> None:
    if form == "json":
        print(json.dumps(evaluation, indent=2, ensure_ascii=False))
        return
    if form == "csv":
        print_rows(FIGURE_COLUMNS, figure_rows(evaluation), "csv")
        return
    console = stdout()
    console.print(evaluation_view(evaluation, title))
    if found := evaluation.get("comparison"):
        low, high = found["accuracy_interval_95"]
        console.print()
        console.print(Text(f"{name} and {found['other']}: {found['verdict']}", "bold"))
        other, ours, theirs = found["other"], found["only_this_right"], found["only_other_right"]
        facts = (
            f"{other} has accuracy {found['accuracy']:.2%}  [{low:.2%}, {high:.2%}]; only {name} is right on "
            f"{ours:,} images, only {other} on {theirs:,} ({found['test']})"
        )
        console.print(Text(facts))


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """Class of the data -> class of the model, from MODEL=DATA,..."""
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


def _predictions_file(reference: str) -> Predictions:
    if not _is_csv(reference):
        raise UsageError(
            f"--predictions is compared with a predictions.csv, and '{reference}' is none. "
            "Give such a file, or a model and --data."
        )
    return read_predictions(Path(reference))


def _is_csv(reference: str) -> bool:
    return Path(reference).suffix == ".csv"


def _refuse_beside_predictions(names: Sequence[str]) -> None:
    if names:
        raise UsageError(
            f"--predictions holds all that is evaluated; {', '.join(names)} makes no sense beside it. "
            "Leave it out."
        )


def _require_free(out: Path | None) -> None:
    """Refuse before the work what could only be overwritten after it."""
    for name in (EVALUATION_FILE, PREDICTIONS_FILE):
        if out is not None and (out / name).exists():
            raise UsageError(f"'{out / name}' exists and is not overwritten. Name another folder with --out.")
