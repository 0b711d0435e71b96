"""The model card beside an export: the origin, figures, limits and usage of a model."""

from __future__ import annotations

import json
import platform
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuner.errors import UsageError
from tuner.models.export import Export
from tuner.models.run_model import RunModel
from tuner.models.runtimes import beside, model_format, read_facts
from tuner.models.usage_code import FORMAT_NAMES, usage
from tuner.statistics.calibration import NOT_CONVERGED
from tuner.statistics.confusion import MANY_CLASSES, shown_classes
from tuner.statistics.metrics import chosen_before
from tuner.statistics.spread import FIGURES, epochs_text
from tuner.units import counted, listed

# Of more classes a few names stand for all.
_NAMED = MANY_CLASSES

_RESIZED = {
    "squeeze": ", squeezed to the square",
    "crop": ", of the square in its middle",
    "pad": ", with borders of black",
}


def card_path(export: Path) -> Path:
    """Return the path of the card of an export; exports of one name share it."""
    return beside(export, ".md")


def exports_beside(export: Export) -> list[Export]:
    """Return all exports of the same name and the same model, each with the facts that it holds."""
    found = []
    for suffix in (".keras", ".onnx", ".tflite", ""):
        path = beside(export.path, suffix)
        if path == export.path:
            found.append(export)
        elif path.exists() and model_format(path) is not None:
            # A model without facts, or of another program, is not described.
            with suppress(UsageError):
                facts = read_facts(path)
                if _identity(facts) == _identity(export.facts) and "parity" in facts:
                    found.append(Export(path, facts))
    return found


def card_text(model: RunModel, exports: Sequence[Export]) -> str:
    """Return a model card in Markdown for exports of one model, made from its run alone."""
    names = model.run.facts["data"]["class_names"]
    parts = [
        f"# {_text(beside(exports[0].path, '').name)}",
        f"Classifies images as {_listed(names)}. {_origin(model)}",
        "## Files",
        _files(exports),
        _classes(model),
        "## Figures",
        _figures(model),
        "## Data",
        _data(model),
        "## Configuration",
        _configuration(model),
        "## Limits",
        _limits(model),
        "## Versions",
        _table(("package", "version"), model.run.facts["versions"].items()),
        f"Trained on {_text(model.run.facts['device'])}; exported with Python {platform.python_version()}.",
        "## How to use it",
        *(usage(export, model.run.facts["data"]) for export in exports),
    ]
    return "\n\n".join(parts) + "\n"


def _identity(facts: dict[str, Any]) -> tuple[Any, ...]:
    trained_on = facts.get("trained_on") or {}
    members = [(member["trial_id"], member.get("best_epoch")) for member in facts.get("members", ())]
    retrained = facts.get("retrained") or {}
    return (
        facts.get("run_id"),
        facts.get("trial_id"),
        # A search that went on may have found a better epoch of the same trial.
        facts.get("best_epoch"),
        trained_on.get("fingerprint"),
        members,
        retrained.get("seed"),
        retrained.get("epochs"),
    )


def _origin(model: RunModel) -> str:
    """A sentence on the origin of the model."""
    search = f"the hyperparameter search {_text(model.run.run_id)}"
    if model.is_ensemble:
        members = ", ".join(trial.trial_id for trial in model.trials)
        return f"The mean of the probabilities of trials {members}, the best of {search} on validation."
    if model.retrained is None:
        return f"Winner of {search}, trial {model.trial.trial_id}."
    facts = model.retrained
    return (
        f"The configuration of trial {model.trial.trial_id} of {search}, trained anew on its training and "
        f"validation images together, {facts['images']:,} of them, for {epochs_text(facts)} with seed "
        f"{facts['seed']}."
    )


def _files(exports: Sequence[Export]) -> str:
    rows = []
    for export in exports:
        temperature, parity = export.facts["calibrated_by"], export.facts["parity"]
        threshold, positive = export.facts["threshold"], export.facts["positive_class"]
        rows.append(
            (
                export.path.name,
                FORMAT_NAMES[export.facts["format"]],
                f"{export.size / 1e6:.2f} MB",
                "no" if temperature is None else f"temperature {temperature:.4g}",
                "" if threshold is None or positive is None else f"{positive} from {threshold:.4f}",
                "not compared"
                if parity is None
                else f"{parity['largest_difference']:.1e} on {parity['images']} {parity['split']} images",
            )
        )
    return _table(
        ("file", "format", "size", "calibrated", "threshold", "difference from the Keras model"), rows
    )


def _classes(model: RunModel) -> str:
    data = model.run.facts["data"]
    names = data["class_names"]
    height, width, channels = data["image_shape"]
    text = (
        f"Input: pixels from 0 to 255, {height}x{width}, {'RGB' if channels == 3 else 'grey'}; scaling is "
        f"inside the model. Output: the probability of each of {len(names):,} classes, in the order "
        f"{_listed(names)}{'; all are in the facts of each file' if len(names) > _NAMED else ''}"
    )
    if _gives_logits(model.path):
        text += "; of .keras logits, whose softmax that is"
        if len(names) == 2:
            text += f", or where it is a single number, whose sigmoid is that of {_text(names[1])}"
    elif len(names) == 2:
        text += f"; of .keras, where it is a single number, that of {_text(names[1])}"
    return text + "."


def _gives_logits(path: Path) -> bool:
    """Whether a .keras file was compiled with a loss that takes the last activation upon itself."""
    with zipfile.ZipFile(path) as archive:
        compiled = json.loads(archive.read("config.json")).get("compile_config") or {}
    loss = compiled.get("loss")
    if isinstance(loss, list) and len(loss) == 1:
        loss = loss[0]
    options = loss.get("config") if isinstance(loss, dict) else None
    return isinstance(options, dict) and bool(options.get("from_logits"))


def _figures(model: RunModel) -> str:
    evaluation = model.evaluation
    rows: list[tuple[str, ...]] = []

    def add(name: str, values: dict[str, Any], key: str) -> None:
        if values.get(key) is not None:
            low, high = values.get(f"{key}_interval_95") or (None, None)
            rows.append((name, f"{values[key]:.4f}", "" if low is None else f"{low:.4f} to {high:.4f}"))

    add("accuracy", evaluation, "accuracy")
    unseen = evaluation.get("without_seen", {})
    add("accuracy without copies of training images", unseen, "accuracy")
    add("AUROC without copies of training images", unseen, "auroc")
    add("balanced accuracy", evaluation, "balanced_accuracy")
    add("AUROC", evaluation, "auroc")
    add("mean AUROC, one class against the rest", evaluation["macro"], "auroc")
    for key in ("average_precision", "eer", "log_loss", "brier", "ece"):
        add(FIGURES[key], evaluation, key)
        add(f"{FIGURES[key]}, calibrated", evaluation.get("calibrated") or {}, key)
    if at := evaluation.get("at_threshold"):
        add(f"accuracy at a threshold of {at['threshold']:.4f}", at, "accuracy")
    shown = shown_classes(evaluation["classes"])
    for name in shown:
        figures = evaluation["classes"][name]
        for key in ("precision", "recall", "f1"):
            add(f"{key} of {name}", figures, key)
    positive = evaluation.get("positive_class")
    about = f" The positive class is {_text(positive)}." if positive else ""
    untouched = (
        "which had no say in the choice of its members; the comparison below is on the same images"
        if model.is_ensemble
        else "which had no say in any choice"
    )
    if unseen:
        about += f" Of the images {unseen['seen']:,} are exact copies of images of train or validation."
    if len(shown) < len(evaluation["classes"]):
        about += f" Of the classes, the {len(shown)} with the least F1 are shown."
    verdict = f"**{_text(evaluation['verdict'])}**\n\n" if evaluation.get("verdict") else ""
    return (
        f"On {evaluation['images']:,} images of the test split, {untouched}.{about}\n\n{verdict}"
        + _table(("figure", "value", "95 % interval"), rows)
        + ("" if chosen_before(evaluation).converged else f"\n\n{NOT_CONVERGED.capitalize()}.")
        + _against_others(model)
    )


def _against_others(model: RunModel) -> str:
    """The comparison of an ensemble with the best trial, or of a retrained model with the other seeds."""
    if model.is_ensemble:
        return f"\n\n{_text(model.evaluation['comparison']['conclusion'])}"
    if model.retrained is None:
        return ""
    seeds = model.retrained["seeds"]
    rows = [
        (FIGURES[name], *("" if value is None else f"{value:.4f}" for value in values.values()))
        for name, values in model.retrained["figures"].items()
    ]
    return (
        f"\n\nOver {len(seeds)} seeds ({', '.join(map(str, seeds))}), of which this is the first; none was "
        "picked by its figures:\n\n" + _table(("figure", "mean", "standard deviation", "min", "max"), rows)
    )


def _data(model: RunModel) -> str:
    facts = model.run.facts
    data = facts["data"]
    found = model.run.images_by_class.items()
    rows = [(name, *(f"{number:,}" for number in numbers)) for name, numbers in found]
    seed = model.run.facts["seed"]
    text = f"{_text(facts['dataset'])}, fingerprint `{data['fingerprint']}`, split with seed {seed}"
    if skipped := data["skipped"]:
        text += f"; {counted(skipped, 'image')} could not be read"
    return f"{text}.\n\n" + _table(("class", *data["counts"]), rows)


def _configuration(model: RunModel) -> str:
    trials, objective = model.trials, model.run.facts["objective"]
    when = ", in the search" if model.retrained else ""
    names = dict.fromkeys(name for trial in trials for name in trial.values)
    rows = [
        ("search space", *(model.run.facts["space"] for _ in trials)),
        ("objective", *(f"{objective}, {trial.score:.4f} on validation{when}" for trial in trials)),
        ("parameters", *(f"{trial.num_params or 0:,}" for trial in trials)),
        ("epoch", *(f"{trial.best_epoch} of {trial.epochs}{when}" for trial in trials)),
        *((name, *(trial.values.get(name, "") for trial in trials)) for name in names),
    ]
    columns = [f"trial {trial.trial_id}" for trial in trials] if model.is_ensemble else ["value"]
    return _table(("", *columns), rows)


def _limits(model: RunModel) -> str:
    data = model.run.facts["data"]
    side = data["image_shape"][0]
    low, high = model.evaluation["accuracy_interval_95"]
    names = _listed(data["class_names"])
    lines = (
        "The figures hold for images like those of the data set above. On other cameras, generators, "
        "subjects or file formats they can be far lower: measure with `tuner evaluate`.",
        f"With {model.evaluation['images']:,} test images, accuracy is only known to lie from {low:.1%} to "
        f"{high:.1%}, and that for one training run with one seed{_other_seeds(model)}.",
        f"Every image becomes {side}x{side} pixels{_RESIZED[model.run.config.resize]}; what is smaller than "
        "a pixel there cannot be told. Another way of resizing or compressing than in training changes "
        "predictions.",
        f"Every image is given one of the classes {names}, also one that shows none of them.",
        "A probability says how sure the model is, and is no proof of where an image comes from.",
    )
    return "\n".join(f"- {line}" for line in lines)


def _other_seeds(model: RunModel) -> str:
    """The range of accuracy over seeds, where several were trained."""
    if model.retrained is None or len(model.retrained["seeds"]) == 1:
        return ""
    found = model.retrained["figures"]["accuracy"]
    return f"; {len(model.retrained['seeds'])} seeds gave {found['min']:.2%} to {found['max']:.2%}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        f"| {' | '.join(cell if cell == '---' else _text(cell) for cell in row)} |" for row in lines
    )


def _listed(names: Sequence[str]) -> str:
    return listed([_text(name) for name in names], _NAMED)


def _text(value: Any) -> str:
    """Text that Markdown shows as it is: on one line, with nothing taken for a mark."""
    shown = " ".join(str(value).split())
    return "".join(f"\\{sign}" if sign in "\\`*[]<>|#" else sign for sign in shown)
