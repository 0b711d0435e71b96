"""Grad-CAM of a convolutional model on its last feature map, on any backend."""

from __future__ import annotations

from typing import Any

import numpy as np

BATCH = 32


def grad_cam(model: Any, images: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return maps (n, rows, columns) from 0 to 1 of the places that support the class of each image.

    They have the resolution of the model's last feature map. None for a model without one, such as a network
    of dense layers, and for one with attention between patches, which `tuner.training.attention` covers.

    Args:
        model: A Keras model made of a graph of layers, with one output for each class or one for two.
        images: Raw pixels of shape (n, height, width, channels).
        classes: Class indices of shape (n,).

    Source: Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based
    localization, equations 1 and 2.
    """
    last_map = _last_map(model)
    if last_map is None:
        return None
    import keras

    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    # A probability of nearly 1 has no gradient, but its logit has one.
    if activation in (keras.activations.sigmoid, keras.activations.softmax):
        last.activation = keras.activations.linear
    try:
        features = keras.Model(model.inputs[0], last_map)
        head = keras.Model(last_map, model.outputs[0])
        maps = [
            _maps(features, head, images[start : start + BATCH], classes[start : start + BATCH])
            for start in range(0, len(images), BATCH)
        ]
    finally:
        if activation is not None:
            last.activation = activation
    return np.concatenate(maps)


def _last_map(model: Any) -> Any:
    """Return the last map (batch, rows, columns, channels) of the model's graph with more than one place."""
    import keras

    # A Sequential keeps its graph in a model of its own.
    graph = getattr(model, "_functional", model)
    if not hasattr(graph, "_nodes_by_depth") or _attends(model):
        return None
    for _, nodes in sorted(graph._nodes_by_depth.items()):  # from the output on
        for node in nodes:
            # The `output` of a model within a model belongs to the inner graph.
            for tensor in node.outputs:
                shape = tuple(tensor.shape)
                if len(shape) == 4 and None not in shape[1:3] and shape[1:3] != (1, 1):
                    return None if isinstance(node.operation, keras.layers.InputLayer) else tensor
    return None


def _attends(model: Any) -> bool:
    return any("attention" in type(layer).__name__.lower() for layer in model._flatten_layers())


def _maps(features: Any, head: Any, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    import keras

    found = keras.ops.cast(features(images, training=False), "float32")
    gradients = _gradients(head, found, classes)
    activations = keras.ops.convert_to_numpy(found)
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    maps = np.maximum((weights * activations).sum(axis=-1), 0)
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0))


def _gradients(head: Any, features: Any, classes: np.ndarray) -> np.ndarray:
    """Return the gradients of the sum of the class scores with respect to the features."""
    import keras

    def total(values: Any) -> Any:
        outputs = keras.ops.cast(head(values, training=False), "float32")
        if outputs.shape[-1] == 1:  # the logit of the second of two classes
            signs = np.where(classes == 1, 1.0, -1.0).astype(np.float32)[:, None]
            return keras.ops.sum(outputs * signs)
        return keras.ops.sum(outputs * np.eye(outputs.shape[-1], dtype=np.float32)[classes])

    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(features)
            score = total(features)
        gradients = tape.gradient(score, features)
    elif backend == "jax":
        import jax

        gradients = jax.grad(total)(features)
    else:
        features = features.detach().requires_grad_()
        total(features).backward()
        gradients = features.grad
    return np.asarray(keras.ops.convert_to_numpy(gradients))
