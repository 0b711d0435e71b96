"""Models on labelled data sets: figures, comparison and robustness of each model on each data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuner.data.shortcuts import Shortcut, shortcut_rows, shortcut_warnings, shortcuts
from tuner.data_options import NO_WISHES, DataOptions
from tuner.errors import UsageError
from tuner.evaluation.evaluated_predictions import (
    EvaluatedPredictions,
    compare_predictions,
    correct_in_order,
    evaluate_model,
    read_evaluated_predictions,
)
from tuner.evaluation.labelled_images import LabelledImages, Split, labelled_images, same_images
from tuner.evaluation.plot_confusion import write_confusion_csv
from tuner.evaluation.predictions import read_predictions, write_predictions
from tuner.evaluation.robustness import robustness, write_robustness
from tuner.models.loading import ModelFacts, TrainedModel, load_model
from tuner.results.evaluation_file import write_evaluation
from tuner.results.schema import CONFUSION_TABLE, EVALUATION_FILE, PREDICTIONS_FILE, ROBUSTNESS_FILES
from tuner.sources.opening import open_source
from tuner.tuning.events import Listener, Note, busy, ignore, progress
from tuner.units import listed

WRITTEN_FILES = (EVALUATION_FILE, CONFUSION_TABLE, PREDICTIONS_FILE)


@dataclass(frozen=True)
class EvaluationRequest:
    """The images to evaluate on and the figures to compute."""

    split: Split | None = None
    """None: the test split where there is one, else all images."""
    pairs: Mapping[str, str] = field(default_factory=dict)
    """Class of a data set -> class of a model; each pair counts where both have these classes."""
    limit: int | None = None
    """Number of images in a stratified sample, at least 1."""
    threshold: float | None = None
    """On the positive class, 0 to 1; None: as chosen on validation images."""
    positive: str | None = None
    compare: ModelFacts | Path | None = None
    """Another model, or the predictions.csv of one on the same images."""
    robustness: bool = False
    options: DataOptions = NO_WISHES
    """How the images and their labels are read."""
    trust: bool = False
    """Whether models that execute what somebody else made may be loaded."""


@dataclass(frozen=True)
class ModelEvaluation:
    """All results of one model on one data set, or of a file of predictions."""

    name: str
    """The model, or the file of predictions."""
    predictions: EvaluatedPredictions
    evaluation: dict[str, Any]
    """Content of evaluation.json."""
    model: ModelFacts | None = None
    source: str = ""
    images: LabelledImages | None = None
    robustness: dict[str, Any] | None = None
    """Content of robustness.json."""

    @property
    def title(self) -> str:
        """The model and its images in words."""
        return self.name if self.images is None else f"{self.name} on {self.source}: {self.images.why}"

    def write(self, folder: Path) -> list[str]:
        """Write WRITTEN_FILES and the files of the robustness; return their names."""
        write_predictions(folder / PREDICTIONS_FILE, self.predictions.predictions)
        write_confusion_csv(folder / CONFUSION_TABLE, self.evaluation)
        write_evaluation(folder, self.evaluation)
        if self.robustness is None:
            return [*WRITTEN_FILES]
        write_robustness(folder, self.robustness, self.title)
        return [*WRITTEN_FILES, *ROBUSTNESS_FILES]


def evaluate_models(
    models: Sequence[ModelFacts],
    sources: Sequence[str],
    request: EvaluationRequest,
    listener: Listener = ignore,
) -> list[ModelEvaluation]:
    """Evaluate each model on each data set, the data sets of a model one after the other.

    Args:
        sources: The data sets. None is needed with one model of a run: its own.

    Raises:
        DataError: a data set cannot be used.
        UsageError: a model or data set is missing or named twice, a model does not fit its data, or the
            request makes no sense.
    """
    if not models:
        raise _missing("MODEL")
    used = sources or [_own_source(models)]
    for names in ([facts.name for facts in models], used):
        for name in names:
            if list(names).count(name) > 1:
                raise UsageError(f"'{name}' is named twice. Needed: each model and data set once.")
    others = [request.compare] if isinstance(request.compare, ModelFacts) else []
    _require_classes(request, [*models, *others], used)
    found: dict[str, tuple[Shortcut, ...]] = {}
    results = []
    for facts in models:
        model = _load(facts, request.trust, listener)
        for source in used:
            images = labelled_images(
                source,
                model,
                request.options,
                request.split,
                request.pairs,
                request.limit,
                progress(listener),
            )
            if not (sources or images.own):
                raise UsageError(
                    f"the data of run '{facts.name}', '{source}', have changed. Needed: the same images. "
                    "Bring them back, or name others with --data."
                )
            _tell(images, facts.name, source, listener)
            if source not in found:
                for text in images.dataset.notes:
                    listener(Note(f"Note       {text}"))
                found[source] = shortcuts(images.dataset)
                for warning in shortcut_warnings(images.dataset, found[source]):
                    listener(Note(warning, is_warning=True))
            results.append(_evaluate(model, source, images, found[source], request, listener))
    return results


def evaluate_predictions(path: Path, request: EvaluationRequest) -> ModelEvaluation:
    """Evaluate a file of predictions; of the request, its threshold, positive class and comparison count.

    Raises:
        UsageError: a file cannot be read, or the comparison is with other images or with a model.
    """
    if isinstance(request.compare, ModelFacts):
        raise UsageError(
            f"--predictions is compared with a predictions.csv, not with model '{request.compare.name}'. "
            "Give such a file, or a model and --data."
        )
    predictions = read_evaluated_predictions(path).override(request.threshold, request.positive)
    evaluation = predictions.evaluation()
    if request.compare is not None:
        evaluation["comparison"] = _comparison_with_file(str(path), predictions, request.compare)
    return ModelEvaluation(str(path), predictions, evaluation)


def _missing(name: str) -> UsageError:
    return UsageError(
        f"{name} is missing. Needed: a model and labelled images, a run, or --predictions. "
        "Type: tuner evaluate model.keras --data images.zip"
    )


def _own_source(models: Sequence[ModelFacts]) -> str:
    if len(models) != 1 or models[0].source is None:
        raise _missing("--data")
    return models[0].source


def _load(facts: ModelFacts, trust: bool, listener: Listener) -> TrainedModel:
    with busy(listener, f"loading {facts.name}"):
        model = load_model(facts, trust)
    if model.note:
        listener(Note(model.note))
    return model


def _require_classes(
    request: EvaluationRequest, models: Sequence[ModelFacts], sources: Sequence[str]
) -> None:
    """Require that the classes of each pair are those of some data set and some model."""
    pairs, options = request.pairs, request.options
    # Listing a source takes time; without pairs nobody asks.
    of_data = (
        {source: open_source(source).listing(options).class_names for source in sources} if pairs else {}
    )
    of_models = {facts.name: facts.class_names for facts in models}
    for of, names, kind in ((1, of_models, "model"), (0, of_data, "data")):
        for pair in pairs.items():
            if not any(pair[of] in classes for classes in names.values()):
                known = "; ".join(f"{name}: {listed(classes)}" for name, classes in names.items())
                raise UsageError(
                    f"--map {pair[1]}={pair[0]}: '{pair[of]}' is no class of the {kind}. "
                    f"Allowed: MODEL=DATA, of the {kind} {known}. Write the model's class first."
                )


def _evaluate(
    model: TrainedModel,
    source: str,
    images: LabelledImages,
    found: Sequence[Shortcut],
    request: EvaluationRequest,
    listener: Listener,
) -> ModelEvaluation:
    name, other = model.facts.name, request.compare
    with busy(listener, f"predicting {len(images.indices):,} images"):
        predictions = evaluate_model(model, images).override(request.threshold, request.positive)
    evaluation = predictions.evaluation()
    if warned := shortcut_rows(found, warnings_only=True):
        evaluation["shortcuts"] = warned
    if isinstance(other, Path):
        evaluation["comparison"] = _comparison_with_file(name, predictions, other)
    elif other is not None:
        second = _load(other, request.trust, listener)
        others = same_images(images, source, second, request.options, request.pairs, progress(listener))
        _warn_of_seen(others, other.name, source, listener)
        with busy(listener, f"predicting {len(others.indices):,} images"):
            right = evaluate_model(second, others).predictions.right
        evaluation["comparison"] = compare_predictions(name, predictions, other.name, right)
    corrupted = None
    if request.robustness:
        corrupted = robustness(model, images, predictions, progress=progress(listener, "corrupted images"))
    return ModelEvaluation(name, predictions, evaluation, model.facts, source, images, corrupted)


def _comparison_with_file(name: str, predictions: EvaluatedPredictions, other: Path) -> dict[str, Any]:
    right = correct_in_order(predictions.predictions, read_predictions(other), str(other))
    return compare_predictions(name, predictions, str(other), right)


def _tell(images: LabelledImages, name: str, source: str, listener: Listener) -> None:
    """Tell which images these are, and under which names."""
    listener(Note(f"Images     {name} on {source}: {len(images.indices):,}, {images.why}"))
    names, own = images.dataset.class_names, images.class_names
    pairs = sorted(set(zip(images.dataset.labels[images.indices], images.labels, strict=True)))
    if renamed := [f"{names[i]} is {own[k]}" for i, k in pairs if names[i] != own[k]]:
        listener(Note(f"Classes    {listed(renamed)}"))
    _warn_of_seen(images, name, source, listener)


def _warn_of_seen(images: LabelledImages, name: str, source: str, listener: Listener) -> None:
    if images.seen:
        warning = (
            f"Warning: {images.seen:,} of {len(images.indices):,} images of {source} were in the training or "
            f"validation of {name}; such figures say nothing about new images."
        )
        listener(Note(warning, is_warning=True))
