"""Models in formats that need no Keras: how each predicts, and the facts that stand inside its file."""

from __future__ import annotations

import importlib.util
import json
import math
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tuner.errors import UsageError
from tuner.files import replacing
from tuner.training.device import quiet_import
from tuner.training.error_text import first_line
from tuner.training.evaluation_batch import CHANNELS, within_budget

Format = Literal["keras", "onnx", "tflite", "saved_model"]

INPUT, OUTPUT = "images", "probabilities"
"""Names of the input (batch, height, width, channels), float32 from 0 to 255, and of the output
(batch, num_classes), in every format but .keras."""

LABELS_FILE, FACTS_FILE = "labels.txt", "model.json"
ASSETS = "assets"
SAVED_MODEL_FILE = "saved_model.pb"

_SUFFIXES: dict[str, Format] = {".keras": "keras", ".onnx": "onnx", ".tflite": "tflite"}
_ONNX_FACTS = "model"
_ONNX_LABELS = "labels"
_WRITERS = ("onnx", "onnxruntime", "tf2onnx")
_READERS = ("onnx", "onnxruntime")

Run = Callable[[np.ndarray], np.ndarray]


def export_format(target: str) -> Format:
    """Return the format that the suffix of a path asks for; no suffix, or a slash at the end: a SavedModel.

    Raises:
        UsageError: there is no such format.
    """
    suffix = Path(target).suffix
    if target.endswith(("/", "\\")) or not suffix:
        return "saved_model"
    if suffix not in _SUFFIXES:
        raise UsageError(
            f"cannot export to '{target}': the suffix tells the format. Allowed: {', '.join(_SUFFIXES)}, "
            "or none for a SavedModel folder. Name it so, or end the folder's name with a slash."
        )
    return _SUFFIXES[suffix]


def model_format(path: Path) -> Format | None:
    """Return the format of a model that may lie at a path, None where it is no path of a model."""
    if (path / SAVED_MODEL_FILE).is_file():
        return "saved_model"
    return _SUFFIXES.get(path.suffix)


def beside(model: Path, suffix: str) -> Path:
    """Return the path of a file of the same name as an exported model, with another suffix, or with "" none.

    Only the suffix of a format is one: the folder `v1.2` and the file `v1.2.onnx` are both called `v1.2`.
    """
    name = model.stem if model.suffix in _SUFFIXES and not model.is_dir() else model.name
    return model.with_name(name + suffix)


def require_packages(form: Format, writing: bool = False) -> None:
    """Check that what a format takes is installed.

    Raises:
        UsageError: it is not.
    """
    if form != "onnx":
        return
    missing = [name for name in (_WRITERS if writing else _READERS) if not importlib.util.find_spec(name)]
    if missing:
        raise UsageError(f'.onnx needs {", ".join(missing)}. Install with: pip install "kt-search[onnx]"')


class Runtime:
    """A model in one of these formats, ready to predict."""

    def __init__(self, path: Path, trust: bool) -> None:
        """Load it.

        Args:
            trust: Whether it may execute what it holds.

        Raises:
            UsageError: it executes what it holds and is not trusted, it cannot be loaded, or what it takes is
                not installed.
        """
        form = model_format(path)
        assert form in _LOADERS, form
        require_packages(form)
        if form == "saved_model" and not trust:
            raise UsageError(
                f"'{path}' is a SavedModel, which executes what it holds, and can read and write any file. "
                "Allowed without a question: .keras, .onnx, .tflite. If you trust its origin, type the same "
                "with --trust."
            )
        try:
            self._run = _LOADERS[form](path)
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(
                f"'{path}' cannot be loaded: {first_line(error)} Needed: a whole model that "
                "tuner best --export has written. Export it again."
            ) from None

    def predict(self, images: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Return class probabilities (len(indices), num_classes), in the order of the indices.

        Args:
            images: Raw pixels 0..255 of shape (n, height, width, channels).
            indices: Which of them, of shape (m,), m at least 1.
        """
        batch_size = within_budget(CHANNELS * math.prod(images.shape[1:3]))
        starts = range(0, len(indices), batch_size)
        batches = (images[indices[start : start + batch_size]] for start in starts)
        return np.concatenate([self._run(batch.astype(np.float32)) for batch in batches]).astype(np.float64)


def _onnx(path: Path) -> Run:
    import onnxruntime

    _read_onnx(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(None, {INPUT: images})[0])


def _read_onnx(path: Path) -> Any:
    """Return the content of an .onnx file, which holds all of its weights.

    Raises:
        UsageError: it names other files for some. The runtime follows such names, hard links too.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
            named = next((entry.value for entry in tensor.external_data if entry.key == "location"), "?")
            raise UsageError(
                f"'{path}' cannot be loaded: its weights refer to another file on the disk: '{named}'. "
                "Allowed: an .onnx that holds all of its weights. Export it again."
            )
    return model


def _tensors(message: Any) -> Iterator[Any]:
    """Yield all tensors in a message of protobuf, wherever they are."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for each in (value,) if hasattr(value, "ListFields") else value:
                yield from _tensors(each)


def _tflite(path: Path) -> Run:
    # TensorFlow's own interpreter is the same, and is to leave TensorFlow.
    if importlib.util.find_spec("ai_edge_litert"):
        from ai_edge_litert.interpreter import Interpreter
    else:
        with quiet_import():
            from tensorflow.lite.python.interpreter import Interpreter
    with warnings.catch_warnings(), quiet_import():
        warnings.simplefilter("ignore")
        interpreter = Interpreter(model_path=str(path))
        predict = interpreter.get_signature_runner()
        # What it has to say comes with the first image.
        predict(**{INPUT: np.zeros(interpreter.get_input_details()[0]["shape"], np.float32)})
    return lambda images: np.asarray(predict(**{INPUT: images})[OUTPUT])


def _saved_model(path: Path) -> Run:
    with quiet_import():
        import tensorflow as tf
    loaded = tf.saved_model.load(str(path))
    predict = loaded.signatures["serving_default"]

    def run(images: np.ndarray) -> np.ndarray:
        # `loaded` must live as long as its functions: it owns the weights.
        assert loaded is not None
        return np.asarray(predict(**{INPUT: tf.constant(images)})[OUTPUT])

    return run


_LOADERS: dict[Format, Callable[[Path], Run]] = {
    "onnx": _onnx,
    "tflite": _tflite,
    "saved_model": _saved_model,
}


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    """Put facts, with the names of the outputs in their order as `class_names`, into an exported model.

    In .onnx they are metadata. In .tflite they are files in an archive behind the model, as TensorFlow Lite
    keeps associated files. In a SavedModel they are assets.

    Source: https://ai.google.dev/edge/litert/conversion/tensorflow/metadata, associated files.
    """
    form = model_format(path)
    labels = "".join(f"{name}\n" for name in facts["class_names"])
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    if form == "onnx":
        import onnx

        model = onnx.load(path)
        onnx.helper.set_model_props(model, {_ONNX_LABELS: labels, _ONNX_FACTS: text})
        onnx.save(model, path)
    elif form == "tflite":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(LABELS_FILE, labels)
            archive.writestr(FACTS_FILE, text)
    elif form == "saved_model":
        (path / ASSETS).mkdir(exist_ok=True)
        (path / ASSETS / LABELS_FILE).write_text(labels, "utf-8", newline="")
        (path / ASSETS / FACTS_FILE).write_text(text, "utf-8", newline="")
    else:
        with replacing(beside(path, ".json")) as draft:
            draft.write_text(text + "\n", "utf-8", newline="")


def read_facts(path: Path) -> dict[str, Any]:
    """Return the facts inside an exported model; of .keras, those in the .json beside it.

    Raises:
        UsageError: there are none, or what it takes to read them is not installed.
    """
    form = model_format(path)
    assert form is not None, path
    require_packages(form)
    try:
        facts = json.loads(_facts_text(form, path))
        if not isinstance(facts, dict):
            raise TypeError("no object")
    except UsageError:
        raise
    except Exception as error:
        raise not_described(path, error) from None
    return facts


def not_described(path: Path, error: Exception) -> UsageError:
    """Return the error of a model whose facts cannot be read, or make no sense."""
    described = beside(path, ".json") if model_format(path) == "keras" else path
    return UsageError(
        f"'{described}' does not describe a model ({type(error).__name__}: {first_line(error)}). Needed: the "
        "facts that tuner best --export writes, class_names above all. Export the model again."
    )


def _facts_text(form: Format, path: Path) -> str:
    if form == "onnx":
        return str({entry.key: entry.value for entry in _read_onnx(path).metadata_props}[_ONNX_FACTS])
    if form == "tflite":
        with zipfile.ZipFile(path) as archive:
            return archive.read(FACTS_FILE).decode("utf-8")
    if form == "saved_model":
        return (path / ASSETS / FACTS_FILE).read_text("utf-8")
    return beside(path, ".json").read_text("utf-8")
