"""The model card beside an export: what the model is, what it rests on, and how to use it."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuner.errors import UsageError
from tuner.evaluation.export import Export, Winner
from tuner.evaluation.runtimes import INPUT, OUTPUT, Format, model_format, read_facts

_NAMES: dict[Format, str] = {
    "keras": "Keras",
    "onnx": "ONNX",
    "tflite": "TensorFlow Lite",
    "saved_model": "SavedModel",
}
_PACKAGES: dict[Format, str] = {
    "keras": "keras, tensorflow",
    "onnx": "onnxruntime",
    "tflite": "ai-edge-litert",
    "saved_model": "tensorflow",
}


def card_path(export: Path) -> Path:
    """Return where the card of an export lies; those of one name share it."""
    return export.with_suffix(".md")


def exports_beside(export: Export) -> list[Export]:
    """Return all exports of the same name and the same trial, each with the facts that it holds."""
    stem = export.path.with_suffix("")
    found = []
    for path in (*(stem.with_suffix(suffix) for suffix in (".keras", ".onnx", ".tflite")), stem):
        if path == export.path:
            found.append(export)
        elif path.exists() and model_format(path) is not None:
            # What cannot be read, or is from before exports said what they are, is not described.
            with suppress(UsageError):
                facts = read_facts(path)
                if _identity(facts) == _identity(export.facts) and "parity" in facts:
                    found.append(Export(path, facts))
    return found


def card_text(winner: Winner, exports: Sequence[Export]) -> str:
    """Return a model card in Markdown for exports of one winner, made from its run alone."""
    names = winner.run.facts["data"]["class_names"]
    parts = [
        f"# {_text(exports[0].path.stem)}",
        f"Classifies images as {', '.join(map(_text, names))}. Winner of the hyperparameter search "
        f"{_text(winner.run.run_id)}, trial {winner.trial.trial_id}.",
        "## Files",
        _files(exports),
        _classes(winner),
        "## Figures",
        _figures(winner),
        "## Data",
        _data(winner),
        "## Configuration",
        _configuration(winner),
        "## Limits",
        _limits(winner),
        "## Versions",
        _table(("package", "version"), winner.run.facts.get("versions", {}).items()),
        f"Trained on {_text(winner.run.facts.get('device', 'an unknown device'))}; exported with Python "
        f"{platform.python_version()}.",
        "## How to use it",
        *(usage(export, winner.run.facts["data"]) for export in exports),
    ]
    return "\n\n".join(parts) + "\n"


def usage(export: Export, data: dict[str, Any]) -> str:
    """Return code that predicts one image, with the packages it takes."""
    form: Format = export.facts["format"]
    side, _, channels = data["image_shape"]
    mode, more = ("RGB", "[None]") if channels == 3 else ("L", "[None, ..., None]")
    image = (
        f'image = np.asarray(Image.open("image.png").convert("{mode}").resize(({side}, {side}), '
        f'Image.Resampling.LANCZOS), "float32"){more}'
    )
    name = export.path.name
    code: dict[Format, tuple[str, ...]] = {
        "keras": (
            "import keras, numpy as np",
            f"model = keras.models.load_model({name!r}, compile=False)",
            "print(model.predict(image))",
        ),
        "onnx": (
            "import numpy as np, onnxruntime",
            f"session = onnxruntime.InferenceSession({name!r})",
            f'print(session.run(["{OUTPUT}"], {{"{INPUT}": image}})[0])',
        ),
        "tflite": (
            "import numpy as np; from ai_edge_litert.interpreter import Interpreter",
            f"predict = Interpreter(model_path={name!r}).get_signature_runner()",
            f'print(predict({INPUT}=image)["{OUTPUT}"])',
        ),
        "saved_model": (
            "import numpy as np, tensorflow as tf",
            f"model = tf.saved_model.load({name!r})",
            f'print(model.signatures["serving_default"]({INPUT}=tf.constant(image))["{OUTPUT}"])',
        ),
    }
    first, load, show = code[form]
    lines = (first, "from PIL import Image", image, load, show)
    return f"{_NAMES[form]}, with {_PACKAGES[form]} and pillow:\n\n```python\n" + "\n".join(lines) + "\n```"


def _identity(facts: dict[str, Any]) -> tuple[Any, ...]:
    trained_on = facts.get("trained_on") or {}
    return facts.get("run_id"), facts.get("trial_id"), trained_on.get("fingerprint")


def _files(exports: Sequence[Export]) -> str:
    rows = []
    for export in exports:
        temperature, parity = export.facts["calibrated_by"], export.facts["parity"]
        threshold, positive = export.facts["threshold"], export.facts["positive_class"]
        rows.append(
            (
                export.path.name,
                _NAMES[export.facts["format"]],
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


def _classes(winner: Winner) -> str:
    data = winner.run.facts["data"]
    names = data["class_names"]
    height, width, channels = data["image_shape"]
    text = (
        f"Input: pixels from 0 to 255, {height}x{width}, {'RGB' if channels == 3 else 'grey'}; scaling is "
        f"inside the model. Output: the probability of each class, in the order "
        f"{', '.join(map(_text, names))}"
    )
    if len(names) == 2:
        text += f"; of .keras, where it is a single number, that of {_text(names[1])}"
    return text + "."


def _figures(winner: Winner) -> str:
    evaluation = winner.evaluation
    rows: list[tuple[str, ...]] = []

    def add(name: str, values: dict[str, Any], key: str) -> None:
        if values.get(key) is not None:
            low, high = values.get(f"{key}_interval_95") or (None, None)
            rows.append((name, f"{values[key]:.4f}", "" if low is None else f"{low:.4f} to {high:.4f}"))

    add("accuracy", evaluation, "accuracy")
    add("balanced accuracy", evaluation, "balanced_accuracy")
    add("AUROC", evaluation, "auroc")
    add("mean AUROC, one class against the rest", evaluation.get("macro", {}), "auroc")
    for key, name in (("average_precision", "average precision"), ("eer", "equal error rate")):
        add(name, evaluation, key)
    for key, name in (("log_loss", "log loss"), ("brier", "Brier score"), ("ece", "ECE")):
        add(name, evaluation, key)
        add(f"{name}, calibrated", evaluation.get("calibrated", {}), key)
    if at := evaluation.get("at_threshold"):
        add(f"accuracy at a threshold of {at['threshold']:.4f}", at, "accuracy")
    for name, figures in evaluation["classes"].items():
        for key in ("precision", "recall", "f1"):
            add(f"{key} of {name}", figures, key)
    positive = evaluation.get("positive_class")
    about = f" The positive class is {_text(positive)}." if positive else ""
    return (
        f"On {evaluation['images']:,} images of the test split, which had no say in any choice.{about}\n\n"
        + _table(("figure", "value", "95 % interval"), rows)
    )


def _data(winner: Winner) -> str:
    facts = winner.run.facts
    data, names = facts["data"], facts["data"]["class_names"]
    rows = [
        (split, *(f"{counts.get(name, 0):,}" for name in names))
        for split, counts in data.get("counts", {}).items()
    ]
    seed = winner.run.facts["seed"]
    text = f"{_text(facts['dataset'])}, fingerprint `{data['fingerprint']}`, split with seed {seed}"
    if skipped := data.get("skipped"):
        text += f"; {skipped:,} images could not be read"
    return f"{text}.\n\n" + _table(("split", *names), rows)


def _configuration(winner: Winner) -> str:
    run, trial = winner.run, winner.trial
    rows = [
        ("search space", run.facts["space"]),
        ("objective", f"{run.facts['objective']}, {trial.score:.4f} on validation"),
        ("parameters", f"{trial.num_params or 0:,}"),
        ("epoch", f"{trial.best_epoch} of {trial.epochs}"),
        *trial.values.items(),
    ]
    return _table(("", "value"), rows)


def _limits(winner: Winner) -> str:
    data = winner.run.facts["data"]
    side = data["image_shape"][0]
    low, high = winner.evaluation["accuracy_interval_95"]
    names = ", ".join(map(_text, data["class_names"]))
    lines = (
        "The figures hold for images like those of the data set above. On other cameras, generators, "
        "subjects or file formats they can be far lower: measure with `tuner evaluate`.",
        f"With {winner.evaluation['images']:,} test images, accuracy is only known to lie from {low:.1%} to "
        f"{high:.1%}, and that for one training run with one seed.",
        f"Every image becomes {side}x{side} pixels; what is smaller than a pixel there cannot be told. "
        "Another way of resizing or compressing than in training changes predictions.",
        f"Every image is given one of the classes {names}, also one that shows none of them.",
        "A probability says how sure the model is, and is no proof of where an image comes from.",
    )
    return "\n".join(f"- {line}" for line in lines)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        f"| {' | '.join(cell if cell == '---' else _text(cell) for cell in row)} |" for row in lines
    )


def _text(value: Any) -> str:
    """Text that Markdown shows as it is: on one line, with nothing taken for a mark."""
    shown = " ".join(str(value).split())
    return "".join(f"\\{sign}" if sign in "\\`*[]<>|#" else sign for sign in shown)
