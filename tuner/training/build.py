"""The model of a configuration, with its checks, and probabilities from its outputs."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tuner.data.dataset import Dataset
from tuner.errors import TunerError
from tuner.training.device import mark_unused, without_strategy
from tuner.training.error_text import described, first_line
from tuner.training.task import TrialError

_BUILT_IN = "search_spaces."
# Messages of Keras and its applications about images that are too small for a model.
_TOO_SMALL = re.compile(r"zero or negative|[Nn]egative dimension|at least \d+ ?x ?\d+")
# Largest error of probabilities in bfloat16, which has 8 bits.
_ROUNDING = 0.01


def build_model(hypermodel: Any, values: dict[str, Any], dataset: Dataset, hp: Any = None) -> Any:
    """Build a configuration and check that it can be trained on the data set.

    Args:
        hp: The `HyperParameters` that the build fills; a new one by default.

    Raises:
        TrialError: the build failed, or returned no compiled Keras model with an output per class, or one
            whose optimizer averages weights without ever using them.
    """
    import keras
    import keras_tuner as kt

    hp = kt.HyperParameters() if hp is None else hp
    hp.values = dict(values)
    num_classes = len(dataset.class_names)
    try:
        with blaming_the_space(), without_strategy() as strategies:
            model = hypermodel.build(hp)
            if isinstance(model, keras.Model) and not model.built:
                model.build((None, *dataset.image_shape))
    except TrialError as error:
        if not _TOO_SMALL.search(str(error)):
            raise
        height, width, _ = dataset.image_shape
        raise TrialError(
            error.reason,
            f"{error}: the images have {width}x{height} pixels, too few for this model. Try larger ones "
            "with --image-size.",
        ) from error
    if not isinstance(model, keras.Model):
        raise TrialError(
            "build", f"build returned {type(model).__name__}, not a keras.Model. End it with `return model`."
        )
    mark_unused(model, strategies)
    if not model.compiled or model.optimizer is None or model.loss is None:
        raise TrialError(
            "build", "the model is not compiled with a loss. Call model.compile(optimizer, loss, metrics)."
        )
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if getattr(optimizer, "use_ema", False) and not optimizer.ema_overwrite_frequency:
        raise TrialError(
            "build",
            "the optimizer has use_ema=True, and its averages would never reach the model. Allowed: with a "
            "number of steps after which they do. Give it ema_overwrite_frequency=100 or another.",
        )
    try:
        inputs = keras.KerasTensor((None, *dataset.image_shape), "uint8")
        shape = keras.tree.map_structure(lambda output: output.shape, model.compute_output_spec(inputs))
    except Exception as error:
        raise TrialError("build", _wrong_images(model, dataset.image_shape, error)) from error
    if isinstance(shape, dict | list):
        raise TrialError("build", f"the model has {len(shape)} output layers. Give it one.")
    outputs = shape[-1]
    if outputs != num_classes and not (num_classes == 2 and outputs == 1):
        raise TrialError(
            "build",
            f"the model has {outputs} outputs for {num_classes} classes. Let build(hp, spec) give it "
            "spec.num_classes outputs.",
        )
    return model


def _wrong_images(model: Any, image_shape: tuple[int, int, int], error: Exception) -> str:
    """Say which images a model takes, and how the data become such, where that can be told."""
    made_for = getattr(model, "input_shape", None)
    if not isinstance(made_for, tuple) or len(made_for) != 4 or made_for[1:] == image_shape:
        return f"the model takes no images of shape {image_shape}: {first_line(error)}"
    height, width, channels = made_for[1:]
    by_option = channels == image_shape[2] and height == width
    return (
        f"the model takes images of shape {made_for[1:]}, those of the data have {image_shape}. "
        f"{f'Give --image-size {height}, or build' if by_option else 'Build'} it with spec.image_shape in "
        "build(hp, spec)."
    )


@contextmanager
def blaming_the_space() -> Iterator[None]:
    """Run code of a search space and report its errors as those of the space.

    Raises:
        TrialError: the code raised an error, other than a TunerError or a lack of memory.
    """
    try:
        yield
    except (TunerError, TrialError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise TrialError("build", _message(error)) from error


def is_out_of_memory(error: BaseException) -> bool:
    """True for the errors of Python, TensorFlow, PyTorch and JAX when host or device memory runs out."""
    name = type(error).__name__
    return (
        isinstance(error, MemoryError)
        or name in ("ResourceExhaustedError", "OutOfMemoryError")
        or (name in ("XlaRuntimeError", "JaxRuntimeError") and "RESOURCE_EXHAUSTED" in str(error))
    )


def _message(error: Exception) -> str:
    """Return the error of a build with its place, or a built-in space's own message to the user."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    if type(error) is ValueError and innermost.f_globals.get("__name__", "").startswith(_BUILT_IN):
        return first_line(error)
    return f"the search space raised {described(error)}"


def gives_logits(model: Any) -> bool:
    """True for a model whose loss includes the last activation."""
    return bool(getattr(only_loss(model), "from_logits", False))


def has_sigmoid_units(model: Any) -> bool:
    """True for a model whose loss, a binary cross-entropy, lets each output stand for itself.

    With an output for each class they need not have the sum 1.
    """
    loss = only_loss(model)
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return name.replace("_", "").lower() in ("bce", "binarycrossentropy", "binaryfocalcrossentropy")


def only_loss(model: Any) -> Any:
    """Return the loss of a compiled model, out of its list or dict."""
    loss = model.loss
    if isinstance(loss, dict):
        loss = list(loss.values())
    return loss[0] if isinstance(loss, list | tuple) and len(loss) == 1 else loss


def not_probabilities(model: Any, outputs: np.ndarray) -> str | None:
    """Return the fault of outputs (n, units) that are not probabilities, None without a fault.

    Logits are allowed if the loss expects them. NaN is not a fault here.
    """
    if gives_logits(model) or not len(outputs):
        return None
    lowest, highest = outputs.min(), outputs.max()
    values, furthest = f"{lowest:.3g} to {highest:.3g}", 1.0
    if outputs.shape[-1] > 1 and not has_sigmoid_units(model):
        sums = outputs.sum(axis=-1, dtype=np.float64).ravel()
        furthest = sums[np.argmax(abs(sums - 1))]
        values += f", in sum {furthest:.3g}"
    if lowest < -_ROUNDING or highest > 1 + _ROUNDING or abs(furthest - 1) > _ROUNDING:
        return (
            f"the outputs are no probabilities ({values}). End in sigmoid or softmax, or give the loss "
            "from_logits=True."
        )
    return None


def probabilities(model: Any, outputs: np.ndarray) -> np.ndarray:
    """Return probabilities (n, num_classes) from a model's outputs, which are (n, 1) or (n, num_classes).

    Those of sigmoid units, one for each class, are divided by their sum.

    Raises:
        TunerError: the outputs are neither probabilities nor logits for the loss.
    """
    outputs = outputs.reshape(len(outputs), -1).astype(np.float64)
    if problem := not_probabilities(model, outputs):
        raise TunerError(problem)
    logits = gives_logits(model)
    outputs = outputs if logits else np.clip(outputs, 0, 1)
    if outputs.shape[1] == 1:
        second = (1 + np.tanh(outputs / 2)) / 2 if logits else outputs
        return np.concatenate([1 - second, second], axis=1)
    if logits and has_sigmoid_units(model):
        outputs = (1 + np.tanh(outputs / 2)) / 2
    elif logits:
        outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    sums = outputs.sum(axis=1, keepdims=True)
    return np.asarray(np.where(sums > 0, outputs / np.where(sums > 0, sums, 1), 1 / outputs.shape[1]))
