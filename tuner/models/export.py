"""A model of a run as a file for others: converted, compared with the Keras model, and described."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.dataset import Dataset
from tuner.errors import StorageError, TunerError, UsageError
from tuner.files import draft_folder
from tuner.models.conversion import (
    calibrate,
    calibrated_probabilities,
    convert,
    copied,
    keras_probabilities,
    require_tensorflow,
)
from tuner.models.loading import ModelFacts, load_model
from tuner.models.run_model import RunModel, model_facts
from tuner.models.runtimes import (
    INPUT,
    OUTPUT,
    SAVED_MODEL_FILE,
    Format,
    Runtime,
    beside,
    export_format,
    require_packages,
    write_facts,
)
from tuner.results.checked_json import require_intact
from tuner.results.query import reference
from tuner.statistics.calibration import NOT_CONVERGED, at_temperature
from tuner.statistics.metrics import chosen_before
from tuner.statistics.thresholds import Chosen
from tuner.training.error_text import first_line

PARITY_IMAGES = 256
MAX_DIFFERENCE = 1e-3
"""Largest difference in the probability of any class on any image that an export may have."""


@dataclass(frozen=True)
class Export:
    """An exported model and its facts."""

    path: Path
    facts: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes, of a folder those of its files."""
        files = self.path.rglob("*") if self.path.is_dir() else (self.path,)
        return sum(file.stat().st_size for file in files if file.is_file())


def check_request(target: str, calibrated: bool) -> Format:
    """Return the format of an export that can be made, before anything is loaded.

    Raises:
        UsageError: there is no such format, its packages are missing, or something is in the way.
    """
    form = export_format(target)
    require_packages(form, writing=True)
    path = Path(target)
    if form == "saved_model":
        taken = path.is_file() or (path.is_dir() and any(path.iterdir()))
        if taken and not (path / SAVED_MODEL_FILE).is_file():
            raise UsageError(
                f"'{path}' exists and is no SavedModel; it is not overwritten. Allowed: a new folder, an "
                "empty one, or an export from before. Name another."
            )
    elif path.is_dir():
        raise UsageError(f"'{path}' is a folder. Needed: a file to write. Name another.")
    if form != "keras" or calibrated:
        require_tensorflow(form)
    return form


def export(
    model: RunModel, target: str, form: Format, calibrated: bool, dataset: Dataset | None, trust: bool
) -> Export:
    """Write a model of a run as a file, and compare the predictions of both on real images.

    Args:
        form: What `check_request` returned.
        calibrated: Bake the temperature chosen on validation into the model.
        dataset: The data of the run; None makes a plain copy, for .keras only, and compares nothing.
        trust: Whether the user trusts the code of a run that somebody else made.

    Raises:
        UsageError: it is to be calibrated, and has no temperature; or it takes code that is not trusted.
        TunerError: the run has lost the model, the format cannot hold it, or its probabilities differ by more
            than MAX_DIFFERENCE. Nothing is left behind.
        StorageError: the file cannot be written.
    """
    path = Path(target)
    if not model.path.is_file():
        again = reference(model.run.path)
        raise TunerError(f"'{model.path}' is gone. Make it again with: tuner resume {again}")
    require_intact(model.path, model.evaluation)
    try:
        # Folders on the way are made only for an export that has passed.
        there = next(parent for parent in path.absolute().parents if parent.is_dir())
        with draft_folder(there) as folder:
            draft = folder / path.name
            if dataset is None:
                assert form == "keras"
                assert not calibrated
                shutil.copyfile(model.path, draft)
                facts = {**model_facts(model), "format": form, "calibrated_by": None, "parity": None}
            else:
                facts = _write(model, draft, form, calibrated, dataset, trust)
            write_facts(draft, facts)
            path.parent.mkdir(parents=True, exist_ok=True)
            _move(draft, path)
            if form == "keras":
                _move(beside(draft, ".json"), beside(path, ".json"))
    except OSError as error:
        raise StorageError(
            f"cannot write '{path}': {error.strerror or error}. Free space or permissions, then go on."
        ) from None
    return Export(path, facts)


def _write(
    run_model: RunModel, draft: Path, form: Format, calibrated: bool, dataset: Dataset, trust: bool
) -> dict[str, Any]:
    """Write the model, compare, and return its facts."""
    data = run_model.run.facts["data"]
    source = ModelFacts(
        run_model.run.run_id,
        run_model.path,
        tuple(data["class_names"]),
        run_path=run_model.run.path,
        configurations=tuple(trial.values for trial in run_model.trials),
    )
    loaded = load_model(source, trust)
    original = loaded.model
    validation = dataset.splits["validation"]
    places = np.linspace(0, len(validation) - 1, min(PARITY_IMAGES, len(validation))).astype(int)
    indices = validation[places]
    chosen = chosen_before(run_model.evaluation)
    temperature = None
    if not calibrated and form == "keras":
        shutil.copyfile(run_model.path, draft)
        expected = keras_probabilities(original, dataset.images, indices)
    else:
        # What only its code can build is in full precision, and has no copy.
        model = original if loaded.note else copied(original, full_precision=form != "keras")
        if calibrated:
            temperature = chosen.temperature
            if temperature is None:
                raise UsageError(f"{NOT_CONVERGED}. Leave out --calibrated.")
            chosen = _baked(chosen, temperature)
            expected = calibrated_probabilities(model, temperature, dataset.images, indices)
            calibrate(model, temperature)
        else:
            expected = keras_probabilities(model, dataset.images, indices)
        convert(model, draft, form)
    if form == "keras":
        again = load_model(dataclasses.replace(source, path=draft), trust)
        written = again.predict(dataset.images, indices)
    else:
        written = _loaded_again(draft, form).predict(dataset.images, indices)
    # Written so that what is no number is refused too.
    difference = float(np.abs(written - expected).max())
    if not difference <= MAX_DIFFERENCE:
        raise TunerError(
            f"not exported: as {form} the model's probabilities differ from those of the Keras model by up "
            f"to {difference:.2g} on {len(indices):,} validation images. Allowed: {MAX_DIFFERENCE:g}. "
            "Export it in another format."
        )
    shape = ", ".join(map(str, data["image_shape"]))
    ends = {
        "input": f"{INPUT}: float32, raw pixels 0..255, shape (batch, {shape})",
        "output": f"{OUTPUT}: float32, shape (batch, {len(data['class_names'])})",
    }
    return {
        **model_facts(run_model, chosen),
        **({} if form == "keras" else ends),
        **({"note": loaded.note} if loaded.note else {}),
        "format": form,
        "calibrated_by": temperature,
        "parity": {
            "images": len(indices),
            "split": "validation",
            "largest_difference": difference,
            "allowed": MAX_DIFFERENCE,
        },
    }


def _loaded_again(draft: Path, form: Format) -> Runtime:
    """The draft, loaded with the runtime of its format.

    Raises:
        TunerError: that runtime refuses it, as it does an operation that it does not know.
    """
    try:
        return Runtime(draft, trust=True)  # this process has just written it
    except UsageError as error:
        reason = first_line(error.__context__ or error).replace(str(draft), draft.name)
        raise TunerError(
            f"this model cannot be written as {form}: its runtime does not load what was written: {reason} "
            "Allowed: layers that the format knows. Export it as .keras or as a SavedModel."
        ) from None


def _baked(chosen: Chosen, temperature: float) -> Chosen:
    """The choices for the calibrated model. The same images stay above the threshold."""
    threshold = chosen.threshold
    if threshold is not None:
        threshold = float(at_temperature(np.array([[1 - threshold, threshold]]), temperature)[0, 1])
    return Chosen(threshold, 1.0, chosen.source)


def _move(draft: Path, path: Path) -> None:
    if path.is_dir():
        path.replace(draft.with_name(f"{path.name}-before"))
    draft.replace(path)
