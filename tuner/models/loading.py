"""Loading a trained model with its facts, from an export or from a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.decoding import Format
from tuner.data_options import MAX_SIZE, MIN_SIZE, DataOptions, Resize
from tuner.errors import SpaceError, UsageError
from tuner.models.keras_archive import check_archive
from tuner.models.runtimes import Runtime, beside, model_format, not_described, read_facts
from tuner.results.checked_json import require_intact
from tuner.results.evaluation_file import read_evaluation
from tuner.results.query import find_run, open_run
from tuner.results.schema import BEST, EVALUATION_FILE, MODEL_FILE, STORE_FILE
from tuner.sources.pixel_range import FULL_RANGE, PixelRange
from tuner.statistics.metrics import chosen_before
from tuner.statistics.thresholds import NOTHING_CHOSEN, Chosen
from tuner.training.build import probabilities
from tuner.training.device import load_backend
from tuner.training.error_text import first_line
from tuner.training.evaluation_batch import MAX_EVALUATION_BATCH
from tuner.training.loop import KerasLoop
from tuner.training.model_file import is_compiled_by_keras, loss_takes_logits, own_parts, refused_parts
from tuner.training.task import TrialError
from tuner.tuning.trusted_run import trusted
from tuner.units import listed

SUFFIX = ".keras"
# Images between two reports of progress.
_PART = 16 * MAX_EVALUATION_BATCH


@dataclass(frozen=True)
class TrainedOn:
    """The data set that a model was trained on, and the seed and limits that split it the same way again."""

    fingerprint: str
    seed: int
    limit: int | None
    limit_test: int | None = None
    with_validation: bool = False
    """Whether it was trained on the validation images too, so that nothing can be chosen on them."""


@dataclass(frozen=True)
class ModelFacts:
    """The facts of a model before it is loaded."""

    name: str
    """As the user calls it."""
    path: Path
    class_names: tuple[str, ...]
    positive_class: str | None = None
    chosen: Chosen = NOTHING_CHOSEN
    trained_on: TrainedOn | None = None
    run_path: Path | None = None
    """Folder of the run that made it; None of an export."""
    source: str | None = None
    """Where the data of that run were."""
    configurations: tuple[dict[str, Any], ...] = ()
    """Values by hyperparameter in that run, of each member for an ensemble."""
    resize: Resize = "squeeze"
    """How its images became squares."""
    pixel_range: PixelRange = FULL_RANGE
    """Pixels of more than 8 bits that became 0 and 255."""


@dataclass(frozen=True)
class TrainedModel:
    """A model that predicts."""

    facts: ModelFacts
    image_shape: tuple[int, int, int]
    """(height, width, channels), height and width alike."""
    model: Any
    note: str | None = None
    """A sentence for the user on a model that its file alone does not give."""

    @property
    def image_format(self) -> Format:
        """The format of the images it was trained on."""
        size, _, channels = self.image_shape
        return Format(size, channels, self.facts.resize, self.facts.pixel_range)

    def predict(
        self, images: np.ndarray, indices: np.ndarray, progress: Callable[[int, int], None] | None = None
    ) -> np.ndarray:
        """Return class probabilities (len(indices), num_classes), in the order of the indices.

        Args:
            images: Raw pixels 0..255 of shape (n, height, width, channels), type uint8; may be a memory map.
            indices: Which of them, of shape (m,), m at least 1.
            progress: Called with (done, total).
        """
        loop = None
        if not isinstance(self.model, Runtime):
            loop = KerasLoop(self.model, images, np.zeros(len(images), np.int32))
        outputs = []
        for start in range(0, len(indices), _PART):
            part = indices[start : start + _PART]
            outputs.append(loop.predict(part) if loop else self.model.predict(images, part))
            if progress:
                progress(min(start + _PART, len(indices)), len(indices))
        found = np.concatenate(outputs)
        return probabilities(self.model, found) if loop else found


def describe_model(reference: str, results_dir: Path, classes: tuple[str, ...] = ()) -> ModelFacts:
    """Return the facts of the model in a file or of a run, without loading it.

    Args:
        classes: Names of its outputs in their order, for a file that has no JSON beside it.

    Raises:
        UsageError: there is no such file or run, or its classes are not known.
    """
    path = Path(reference)
    form = model_format(path)
    if form is None:
        return _of_run(find_run(reference, results_dir).path, Path(BEST), reference)
    if not path.exists():
        raise UsageError(
            f"no model file '{reference}'. Needed: a model that was exported, or a run. "
            "Export one with: tuner best --export model.keras"
        )
    described = beside(path, ".json")
    if form != "keras" or described.is_file():
        return _exported(path)
    run_path = _run_around(path)
    if run_path is not None and path.name == MODEL_FILE:
        return _of_run(run_path, path.absolute().parent.relative_to(run_path.absolute()), reference)
    if not classes:
        raise UsageError(
            f"the classes of '{reference}' are not known: '{described}' is not there. Needed: that file, "
            "which tuner best --export writes, or --classes with the names of its outputs in their order."
        )
    return ModelFacts(reference, path, classes)


def load_model(facts: ModelFacts, trust: bool) -> TrainedModel:
    """Load a model and check that it can be used on images of these classes.

    Args:
        trust: Whether the user trusts a model that executes what it holds, and the code of a run.

    Raises:
        UsageError: it holds what is not allowed, it executes and is not trusted, Keras cannot load it, it
            does not take square images, or its outputs are not the classes.
    """
    if model_format(facts.path) != "keras":
        height, width, channels = map(int, read_facts(facts.path)["image_shape"])
        return TrainedModel(facts, (height, width, channels), Runtime(facts.path, trust))
    load_backend()
    try:
        check_archive(facts.path)
        names, refused = own_parts(facts.path), refused_parts(facts.path)
        if (names or refused) and facts.run_path is not None:
            return _rebuilt(facts, names or refused, trust)
        if refused:
            raise UsageError(
                f"'{facts.path}' cannot be loaded: it holds {listed(refused)}. Allowed in a model file: "
                "layers and functions of Keras that read no other file. Name its run instead of the file, or "
                "export it as .onnx."
            )
        model = _read(facts.path)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"'{facts.path}' cannot be loaded: {first_line(error)} Needed: a whole {SUFFIX} file of Keras 3. "
            "Export it again."
        ) from None
    height, width, channels = _image_shape(model, facts.name)
    outputs = model.output_shape[-1]
    num_classes = len(facts.class_names)
    if outputs != num_classes and not (outputs == 1 and num_classes == 2):
        raise UsageError(
            f"'{facts.name}' has {outputs} outputs, but {num_classes} classes are named: "
            f"{listed(facts.class_names)}. Name one class for each output, or two for a single one."
        )
    return TrainedModel(facts, (height, width, channels), model)


def _read(path: Path) -> Any:
    """Return the model of a file, with a loss of Keras where its own loss or metrics are unknown here."""
    import keras

    with warnings.catch_warnings():
        # The state of the optimizer, which a winner is saved without, is not needed.
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer", UserWarning)
        with suppress(TypeError, ValueError):
            if is_compiled_by_keras(path):
                return keras.models.load_model(path)
        model = keras.models.load_model(path, compile=False)
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=loss_takes_logits(path)))
    return model


def _rebuilt(facts: ModelFacts, names: Sequence[str], trust: bool) -> TrainedModel:
    """Return a model of a run whose file only the code of its space can read."""
    from tuner.models.rebuilding import rebuild

    assert facts.run_path is not None
    run = trusted(open_run(facts.run_path), trust)
    needed = f"needs the code of {', '.join(names)}"
    try:
        model = rebuild(run, facts.configurations, facts.path)
    except (SpaceError, TrialError, ValueError) as error:
        raise UsageError(
            f"'{facts.path}' {needed}, and '{run.config.space}' does not give that model: "
            f"{first_line(error)} Bring the code of the search back, in the folder of the search."
        ) from None
    height, width, channels = run.facts["data"]["image_shape"]
    note = f"The model {needed}, so it is built from {run.config.space} with the weights of the search."
    return TrainedModel(facts, (height, width, channels), model, note)


def _image_shape(model: Any, name: str) -> tuple[int, int, int]:
    shape = model.input_shape
    sizes = shape[1:] if isinstance(shape, tuple) and len(shape) == 4 else ()
    if not sizes or None in sizes or sizes[0] != sizes[1] or not MIN_SIZE <= sizes[0] <= MAX_SIZE:
        raise UsageError(
            f"'{name}' takes inputs of shape {shape}. Needed: (batch, side, side, channels), "
            f"a side from {MIN_SIZE} to {MAX_SIZE} pixels. Use a model for square images of one size."
        )
    height, width, channels = map(int, sizes)
    if channels not in (1, 3):
        raise UsageError(
            f"'{name}' takes images with {channels} channels. Allowed: 1 (grey) or 3 (RGB). "
            "Use a model for such images."
        )
    return height, width, channels


def _exported(path: Path) -> ModelFacts:
    """The facts in an export, of .keras those in the file beside it."""
    try:
        values = read_facts(path)
        names = tuple(map(str, values["class_names"]))
        known = values.get("trained_on")
        return ModelFacts(
            str(path),
            path,
            names,
            values.get("positive_class"),
            Chosen(
                values.get("threshold"),
                values.get("temperature"),
                converged=values.get("temperature_converged", True),
            ),
            TrainedOn(**known) if known else None,
            resize=DataOptions(resize=values.get("resize", "squeeze")).resize,
            pixel_range=PixelRange(**values.get("pixel_range", {})),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise not_described(path, error) from None


def _run_around(path: Path) -> Path | None:
    """The folder of the run that a file lies in, written as the user writes the file where that can be."""
    above = (*path.parents, *path.absolute().parents)
    return next((folder for folder in above if (folder / STORE_FILE).is_file()), None)


def _of_run(run_path: Path, folder: Path, reference: str) -> ModelFacts:
    """What a run says of a model that it holds in a folder: its winner, or one that was made afterwards."""
    run = open_run(run_path)
    path = run.path / folder / MODEL_FILE
    evaluation = read_evaluation(path.parent)
    if evaluation is None or not path.is_file():
        if folder != Path(BEST):
            raise UsageError(
                f"'{reference}' is not finished: '{path.with_name(EVALUATION_FILE)}' is not there. "
                "Needed: both. Make it again with tuner best, --retrain or --ensemble as before."
            )
        raise UsageError(
            f"run '{run.run_id}' ({run.facts['status']}) has no model yet. "
            f"Finish it with: tuner resume {run.run_id}"
        )
    require_intact(path, evaluation)
    data = run.facts["data"]
    values = {trial.trial_id: trial.values for trial in run.trials}
    members = [member["trial_id"] for member in evaluation.get("members", ())] or [evaluation["trial_id"]]
    splits = evaluation.get("trained_on", {}).get("splits", ())
    return ModelFacts(
        reference,
        path,
        tuple(data["class_names"]),
        data["positive_class"],
        chosen_before(evaluation),
        trained_on(run.facts, "validation" in splits),
        run.path,
        data["source"],
        tuple(values[member] for member in members if member in values),
        run.config.resize,
        PixelRange(**data.get("pixel_range", {})),
    )


def trained_on(facts: dict[str, Any], with_validation: bool = False) -> TrainedOn:
    """Return the data and the split that a model of a run with these facts was trained on."""
    config, fingerprint = facts["config"], facts["data"]["fingerprint"]
    return TrainedOn(fingerprint, facts["seed"], config["limit"], config["limit_test"], with_validation)
