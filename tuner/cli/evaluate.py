"""`tuner evaluate`: a model on any labelled images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.text import Text

from tuner.cli.cross_evaluation import (
    MATRIX_FILE,
    Request,
    evaluate_all,
    files_of,
    print_matrix,
    write_matrix,
)
from tuner.cli.evaluation_request import (
    class_maps,
    class_pairs,
    data_sets,
    is_csv,
    own_data,
    predictions_file,
    refuse_beside_predictions,
    refuse_of_several,
    require_both,
    require_free,
    require_model,
    require_unchanged,
)
from tuner.cli.evaluation_view import FIGURE_COLUMNS, evaluation_view, figure_rows
from tuner.cli.options import DEFAULT_RESULTS_DIR, FormatOption, QuietOption, ResultsDirOption
from tuner.cli.output import Format, note, say, show, stdout
from tuner.cli.progress import progress_bar, waiting
from tuner.cli.robustness import robustness_figure_rows, robustness_view
from tuner.data.shortcuts import shortcut_rows, shortcut_warnings, shortcuts
from tuner.evaluation.evaluated_predictions import (
    EvaluatedPredictions,
    compare_predictions,
    correct_in_order,
    evaluate_model,
    read_evaluated_predictions,
)
from tuner.evaluation.labelled_images import LabelledImages, Split, labelled_images, same_images
from tuner.evaluation.predictions import read_predictions, write_predictions
from tuner.evaluation.robustness import robustness, write_robustness
from tuner.evaluation.run_robustness import write_run_robustness
from tuner.models.loading import ModelFacts, TrainedModel, describe_model, load_model
from tuner.results.schema import EVALUATION_FILE, PREDICTIONS_FILE, ROBUSTNESS_FILE, ROBUSTNESS_FILES
from tuner.results.tables import rows_table, write_json

MODELS = typer.Argument(
    metavar="MODEL",
    help="An exported model, or a run: its winner. Several: each on all data.",
    show_default=False,
)
DATA = (
    "Labelled images: a folder, a .zip, a .npz, or 'demo'; several, or A,B: the model on each. "
    "Default for a run: its own."
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
    f"Write {EVALUATION_FILE} and {PREDICTIONS_FILE} into this folder, with --robustness also "
    f"{', '.join(ROBUSTNESS_FILES)}; of several models or data sets also {MATRIX_FILE}. "
    "Default: no such folder."
)


def evaluate(
    models: Annotated[list[str] | None, MODELS] = None,
    data: Annotated[list[str] | None, typer.Option(help=DATA, show_default=False)] = None,
    class_map: Annotated[list[str] | None, typer.Option("--map", help=MAP, show_default=False)] = None,
    split: Annotated[Split | None, typer.Option(help=SPLIT, show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(help=LIMIT, min=1)] = None,
    compare: Annotated[str | None, typer.Option(help=COMPARE)] = None,
    predictions: Annotated[Path | None, typer.Option(help=PREDICTIONS)] = None,
    threshold: Annotated[float | None, typer.Option(help=THRESHOLD, show_default=False)] = None,
    positive: Annotated[str | None, typer.Option(help=POSITIVE, show_default=False)] = None,
    classes: Annotated[str | None, typer.Option(help=CLASSES, show_default=False)] = None,
    with_robustness: Annotated[bool, typer.Option("--robustness", help=ROBUSTNESS)] = False,
    out: Annotated[Path | None, typer.Option(help=OUT, show_default=False)] = None,
    form: FormatOption = "table",
    _quiet: QuietOption = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Judge a model on labelled images: every figure with what it rests on, at 0.5 and at a threshold
    that was chosen on validation images, never on these. Several models or data sets: each model on each
    data set, with accuracy and AUROC."""
    sources = data_sets(data or [])
    if predictions is None and (len(models or []) > 1 or len(sources) > 1):
        alone = {"--compare": compare, "--threshold": threshold, "--robustness": with_robustness or None}
        refuse_of_several([name for name, value in alone.items() if value is not None])
        request = Request(split, class_pairs(class_map or []), limit, positive)
        names = tuple(classes.split(",")) if classes else ()
        _evaluate_all(models or [], sources, request, names, results_dir, out, form)
        return
    require_free(out, [EVALUATION_FILE, PREDICTIONS_FILE, *(ROBUSTNESS_FILES if with_robustness else ())])
    other: np.ndarray | None = None
    warned: list[dict[str, Any]] = []
    corrupted: dict[str, Any] | None = None
    if predictions is not None:
        given = {"MODEL": models, "--data": data, "--map": class_map, "--split": split, "--limit": limit}
        given["--robustness"] = with_robustness
        refuse_beside_predictions([name for name, value in given.items() if value])
        name, title = str(predictions), str(predictions)
        judged = read_evaluated_predictions(predictions).override(threshold, positive)
        if compare is not None:
            other = correct_in_order(judged.predictions, predictions_file(compare), compare)
    else:
        model = require_model(models or [])
        pairs = class_pairs(class_map or [])
        name, facts = model, describe_model(model, results_dir, tuple(classes.split(",")) if classes else ())
        source = sources[0] if sources else own_data(facts)
        other_facts, other_pairs = None, pairs
        if compare is not None and not is_csv(compare):
            other_facts = describe_model(compare, results_dir)
            maps = class_maps([facts, other_facts], [source], pairs)
            pairs, other_pairs = maps[facts.name, source], maps[other_facts.name, source]
        trained = _load(facts)
        with progress_bar("decoding images") as advance:
            images = labelled_images(source, trained, split, pairs, limit, advance)
        if not sources:
            require_unchanged(images, model, source)
        title = f"{model} on {source}: {images.why}"
        _tell(images, model)
        found = shortcuts(images.dataset)
        for warning in shortcut_warnings(images.dataset, found):
            say(warning)
        warned = shortcut_rows(found, warnings_only=True)
        with waiting(f"predicting {len(images.indices):,} images"):
            judged = evaluate_model(trained, images).override(threshold, positive)
        if other_facts is not None:
            other = _other(images, source, _load(other_facts), other_pairs)
        elif compare is not None:
            other = correct_in_order(judged.predictions, read_predictions(Path(compare)), compare)
        if with_robustness:
            with progress_bar("corrupted images") as advance:
                corrupted = robustness(trained, images, judged, progress=advance)
            if kept := write_run_robustness(facts, images, judged, corrupted):
                say(f"Kept       {kept / ROBUSTNESS_FILE}; tuner report {model} draws it")
    evaluation = judged.evaluation()
    if warned:
        evaluation["shortcuts"] = warned
    if compare is not None and other is not None:
        evaluation["comparison"] = compare_predictions(name, judged, compare, other)
    _tell_of_threshold(judged)
    _print(evaluation, corrupted, title, name, form)
    if out is not None:
        write_predictions(out / PREDICTIONS_FILE, judged.predictions)
        write_json(out / EVALUATION_FILE, evaluation)
        written = [str(out / EVALUATION_FILE), PREDICTIONS_FILE]
        if corrupted is not None:
            write_robustness(out, corrupted, title)
            written += ROBUSTNESS_FILES
        say(f"Written    {', '.join(written)}")


def _evaluate_all(
    models: Sequence[str],
    sources: Sequence[str],
    request: Request,
    classes: tuple[str, ...],
    results_dir: Path,
    out: Path | None,
    form: Format,
) -> None:
    """Judge each model on each data set."""
    models, sources = require_both(models, sources)
    require_free(out, files_of(models, sources))
    facts = [describe_model(model, results_dir, classes) for model in models]
    cells = evaluate_all(facts, sources, request)
    print_matrix(cells, form)
    if out is not None:
        write_matrix(out, cells)


def _load(facts: ModelFacts) -> TrainedModel:
    with waiting(f"loading {facts.name}"):
        return load_model(facts)


def _other(images: LabelledImages, source: str, model: TrainedModel, pairs: Mapping[str, str]) -> np.ndarray:
    """Whether the other model is right on the same images, in the size that it takes; shape (n,)."""
    with progress_bar("decoding images") as advance:
        others = same_images(images, source, model, pairs, advance)
    if others.seen:
        _warn_of_seen(others, model.facts.name)
    with waiting(f"predicting {len(others.indices):,} images"):
        return others.predictions(model.predict(others.dataset.images, others.indices)).right


def _tell(images: LabelledImages, name: str) -> None:
    """Tell which images these are, and under which names; what has been seen is said in any case."""
    note(f"Images     {len(images.indices):,}: {images.why}")
    names, own = images.dataset.class_names, images.class_names
    pairs = sorted(set(zip(images.dataset.labels[images.indices], images.labels, strict=True)))
    renamed = [f"{names[i]} is {own[k]}" for i, k in pairs if names[i] != own[k]]
    if renamed:
        note(f"Classes    {', '.join(renamed)}")
    if images.seen:
        _warn_of_seen(images, name)


def _warn_of_seen(images: LabelledImages, name: str) -> None:
    say(
        f"Warning: {images.seen:,} of {len(images.indices):,} images were in the training or validation of "
        f"{name}; such figures say nothing about new images."
    )


def _tell_of_threshold(judged: EvaluatedPredictions) -> None:
    """Why there are no figures at a threshold, where one would expect them."""
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


def _print(
    evaluation: dict[str, Any], corrupted: dict[str, Any] | None, title: str, name: str, form: Format
) -> None:
    if form == "json":
        whole = evaluation if corrupted is None else {**evaluation, "robustness": corrupted}
        print(json.dumps(whole, indent=2, ensure_ascii=False))
        return
    if form != "table":
        more = [] if corrupted is None else robustness_figure_rows(corrupted)
        show(rows_table([*figure_rows(evaluation), *more], FIGURE_COLUMNS), form)
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
    if corrupted is not None:
        console.print()
        console.print(robustness_view(corrupted))
