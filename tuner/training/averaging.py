"""One model from several, with the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuner.errors import TunerError
from tuner.training.build import gives_logits, has_sigmoid_units


def average(models: Sequence[Any]) -> Any:
    """Return a compiled model whose output is the mean of the probabilities of two models or more.

    Its input is raw pixels, as theirs. It shares their layers, and none of its weights is trainable.

    Args:
        models: Models made of a graph of layers, each with one input and one output, all of one width: one
            unit for two classes, or one for each class.

    Raises:
        TunerError: the widths of their outputs differ, or one is not a graph of layers.

    Source: Lakshminarayanan et al. 2017, Simple and scalable predictive uncertainty estimation using deep
    ensembles: a mixture of networks with equal weights.
    """
    import keras

    if len(widths := {model.output_shape[-1] for model in models}) > 1:
        raise TunerError(f"models with {' and '.join(map(str, sorted(widths)))} outputs have no mean")
    if any(not getattr(model, "inputs", None) for model in models):
        raise TunerError("a model that is no graph of layers cannot be part of another")
    inputs = keras.Input(models[0].input_shape[1:])
    # New models around their layers have names of their own and no optimizers.
    members = [
        keras.Model(model.inputs[0], _probabilities(model), name=f"member_{number}")
        for number, model in enumerate(models, start=1)
    ]
    found = keras.Model(inputs, keras.layers.Average()([member(inputs) for member in members]))
    found.trainable = False
    binary = found.output_shape[-1] == 1
    found.compile(
        loss="binary_crossentropy" if binary else "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return found


def _probabilities(model: Any) -> Any:
    """Return the output of a model, with the activation that its loss includes."""
    import keras

    (output,) = model.outputs
    own = output.shape[-1] == 1 or has_sigmoid_units(model)
    if gives_logits(model):
        output = keras.layers.Activation("sigmoid" if own else "softmax")(output)
    if output.shape[-1] > 1 and own:
        sums = keras.ops.sum(output, axis=-1, keepdims=True)
        output = output / keras.ops.maximum(sums, keras.config.epsilon())
    return output
