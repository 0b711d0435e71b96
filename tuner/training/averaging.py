"""One model out of several: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuner.errors import TunerError
from tuner.training.build import gives_logits


def average(models: Sequence[Any]) -> Any:
    """Return a compiled model whose output is the mean of the probabilities of two models or more.

    It takes what they take, raw pixels, and holds their layers, not copies of them. It is not for further
    training: no weight of it is trainable.

    Args:
        models: Models made of a graph of layers, each with one input and one output, all of one width: one
            unit for two classes, or one for each class.

    Raises:
        TunerError: they have outputs of different widths, or one is no graph of layers.

    Source: Lakshminarayanan et al. 2017, Simple and scalable predictive uncertainty estimation using deep
    ensembles: a mixture of networks with equal weights.
    """
    import keras

    if len(widths := {model.output_shape[-1] for model in models}) > 1:
        raise TunerError(f"models with {' and '.join(map(str, sorted(widths)))} outputs have no mean")
    if any(not getattr(model, "inputs", None) for model in models):
        raise TunerError("a model that is no graph of layers cannot be part of another")
    inputs = keras.Input(models[0].input_shape[1:])
    # Models around their layers, not they themselves: with names of their own, and without the optimizers.
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
    """The output of a model, with the activation that its loss takes upon itself."""
    import keras

    (output,) = model.outputs
    if not gives_logits(model):
        return output
    return keras.layers.Activation("sigmoid" if output.shape[-1] == 1 else "softmax")(output)
