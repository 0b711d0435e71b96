"""From a trained Keras model to the file of an export, calibrated where that is asked for."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tuner.errors import TunerError, UsageError
from tuner.models.onnx_operations import register_operations
from tuner.models.runtimes import INPUT, OUTPUT, Format
from tuner.training.build import gives_logits, has_sigmoid_units, probabilities
from tuner.training.device import load_backend, quiet_import
from tuner.training.error_text import first_line
from tuner.training.loop import KerasLoop

_REDUCED = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")


def require_tensorflow(form: Format) -> None:
    """Check that Keras computes with TensorFlow, through which all formats but its own are written.

    Raises:
        UsageError: it computes with another backend.
    """
    load_backend()
    import keras

    backend = keras.config.backend()
    if form != "keras" and backend != "tensorflow":
        raise UsageError(
            f"with KERAS_BACKEND={backend} only .keras can be exported. Of such a model too the others are "
            "written with KERAS_BACKEND=tensorflow. Set that for this command."
        )


def copied(model: Any, full_precision: bool) -> Any:
    """Return the same model anew, its optimizer without state; in full precision all layers are float32."""
    import keras

    text = model.to_json()
    if full_precision:
        for name in _REDUCED:
            text = text.replace(f'"{name}"', '"float32"')
    copy = keras.models.model_from_json(text)
    copy.set_weights(model.get_weights())
    if copy.optimizer is not None:  # compiling gave it state, three times the size of the weights
        copy.optimizer = type(copy.optimizer).from_config(copy.optimizer.get_config())
    return copy


def keras_probabilities(model: Any, images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return class probabilities (len(indices), num_classes) of a Keras model."""
    outputs = KerasLoop(model, images, np.zeros(len(images), np.int32)).predict(indices)
    return probabilities(model, outputs)


def calibrated_probabilities(
    model: Any, temperature: float, images: np.ndarray, indices: np.ndarray
) -> np.ndarray:
    """Return class probabilities as they are with the logits divided by a temperature.

    Computed outside the model, from what enters its last dense layer, to have something to compare with.
    """
    import keras
    from scipy.special import softmax

    dense = _last_dense(model)
    features = KerasLoop(keras.Model(model.inputs, dense.input), images, np.zeros(len(images), np.int32))
    kernel, bias = (np.asarray(keras.ops.convert_to_numpy(part), np.float64) for part in dense.get_weights())
    logits = (features.predict(indices).astype(np.float64) @ kernel + bias) / temperature
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    return np.asarray(softmax(logits, axis=1))


def calibrate(model: Any, temperature: float) -> None:
    """Divide the logits of a model by a temperature above 0, for good.

    Logits are linear in the weights of the last dense layer, so that dividing these is all it takes: no layer
    is added, and the model loads wherever it did.

    Raises:
        UsageError: the model does not end in a dense layer with sigmoid, softmax or logits.

    Source: Guo et al. 2017, On calibration of modern neural networks, section 4.2.
    """
    dense = _last_dense(model)
    dense.set_weights([weight / temperature for weight in dense.get_weights()])


def _last_dense(model: Any) -> Any:
    """The layer that makes the logits."""
    from keras import layers

    *before, last = model.layers
    ending = type(last).__name__
    activation = _activation(last)
    if isinstance(last, layers.Activation | layers.Softmax) and before:
        last, activation_before = before[-1], _activation(before[-1])
        ending = f"{type(last).__name__}, {ending}"
        if activation_before != "linear":
            activation = "none that fits"
    fits = ("sigmoid",) if model.output_shape[-1] == 1 else ("softmax",)
    if gives_logits(model):
        fits = ("linear",)
    if model.output_shape[-1] > 1 and has_sigmoid_units(model):
        fits, activation = ("softmax",), f"{activation}, each unit by itself"
    if not (isinstance(last, layers.Dense) and last.use_bias and activation in fits):
        raise UsageError(
            f"--calibrated divides the logits of the last dense layer, and this model ends in {ending} "
            f"({activation}). Needed: Dense with a bias, then {fits[0]}. Leave out --calibrated."
        )
    return last


def _activation(layer: Any) -> str:
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return str(getattr(getattr(layer, "activation", None), "__name__", "none"))


def convert(model: Any, path: Path, form: Format) -> None:
    """Write a model as a file, or as a folder, that is not there yet.

    Raises:
        TunerError: the model has something that the format has not.
    """
    # What the converters have to say is for their developers.
    with warnings.catch_warnings(), quiet_import():
        warnings.simplefilter("ignore")
        if form == "keras":
            model.save(path)
            return
        try:
            serving = _serving(model)
            serving(np.zeros((1, *model.input_shape[1:]), np.float32))  # ONNX wants it called before
            if form == "tflite":
                import tensorflow as tf

                # With TensorFlow's own operations among them it would need more than its interpreter.
                builtin = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
                serving.export(path, format="litert", verbose=False, target_spec=builtin)
            elif form == "onnx":
                register_operations()
                serving.export(path, format="onnx", verbose=False)
            else:
                _save(serving, path)
        except Exception as error:
            raise TunerError(
                f"this model cannot be written as {form}: {first_line(error)} Allowed: layers that the "
                "format knows. Export it as .keras or as a SavedModel."
            ) from None


def _save(serving: Any, path: Path) -> None:
    """Write a SavedModel. Keras' own export keeps every weight twice."""
    import tensorflow as tf

    images = tf.TensorSpec((None, *serving.input_shape[1:]), tf.float32, name=INPUT)
    module = tf.Module()
    module.weights = list(serving.variables)
    module.serve = tf.function(
        lambda images: serving(images, training=False), input_signature=[images], autograph=False
    )
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def _serving(model: Any) -> Any:
    """The model with an output for each class, and with names that do not depend on how it was built."""
    import keras
    from keras import ops

    inputs = keras.Input(model.input_shape[1:], name=INPUT)
    outputs = model(inputs, training=False)
    logits = gives_logits(model)
    if model.output_shape[-1] == 1:
        second = ops.sigmoid(outputs) if logits else outputs
        outputs = ops.concatenate([1 - second, second], axis=-1)
    elif has_sigmoid_units(model):
        each = ops.sigmoid(outputs) if logits else outputs
        outputs = each / ops.maximum(ops.sum(each, axis=-1, keepdims=True), keras.config.epsilon())
    elif logits:
        outputs = ops.softmax(outputs)
    return keras.Model(inputs, {OUTPUT: outputs})
