"""Faster versions of TensorFlow operations: fused optimizer updates, a gradient for large matrices."""

from __future__ import annotations

import weakref
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework import ops

# Size of a matrix from which its transposed product is faster on a CPU: about the size of caches.
LARGE_MATRIX = 2**20


class _Gradients(dict[str, Any]):
    """TensorFlow's registry of gradients, in which a custom gradient lives as long as its graph.

    TensorFlow's own registry keeps the gradient for ever, and with it the graph of its trace. This is the
    training graph of every trial, since Keras' optimizers and activations such as `silu` use one.
    """

    def __setitem__(self, name: str, entry: dict[str, Any]) -> None:
        if name.startswith("CustomGradient-"):
            gradient = entry["type"]
            tf.compat.v1.add_to_collection("custom_gradients", gradient)
            entry = {**entry, "type": weakref.proxy(gradient, lambda _: self.pop(name, None))}
        super().__setitem__(name, entry)


ops.gradient_registry._registry = _Gradients(ops.gradient_registry._registry)
_matmul_gradient = ops.gradient_registry.lookup("MatMul")


def matmul_gradient(op: Any, gradient: Any) -> Any:
    """Return the gradient of `tf.matmul`, with that of the left factor as (b g^T)^T instead of g b^T.

    With few rows and a large matrix `b`, as in a dense layer after a convolution, this halves the time on a
    CPU.
    """
    left, right = op.inputs
    plain = op.get_attr("transpose_a") or op.get_attr("transpose_b") or right.dtype != tf.float32
    if plain or (right.shape.num_elements() or 0) < LARGE_MATRIX:
        return _matmul_gradient(op, gradient)
    of_left = tf.transpose(tf.matmul(right, tf.transpose(gradient)))
    return of_left, tf.matmul(left, gradient, transpose_a=True)


if not tf.config.list_physical_devices("GPU"):
    ops.gradient_registry._registry["MatMul"] = {"type": matmul_gradient, "location": None}
    # Grappler rewrites each graph before its first step. On a CPU this takes at least a tenth of a second a
    # trial, and the steps are no faster.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def fuse_updates(optimizer: Any) -> None:
    """Let Adam, AdamW and SGD update a variable in one kernel instead of about ten.

    The arithmetic is Keras' own (adam.py, sgd.py) up to float32 rounding. Only `update_step` of this instance
    changes, so the optimizer saves and loads as usual.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # behind the loss scale of mixed_float16
    plain = optimizer.update_step
    kind = type(optimizer)
    if kind in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        fused = _adam
    elif kind is keras.optimizers.SGD:
        fused = _sgd
    else:
        return

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        if isinstance(gradient, tf.IndexedSlices) or variable.dtype != tf.float32:
            plain(gradient, variable, learning_rate)
        else:
            fused(optimizer, tf.cast(gradient, tf.float32), variable, tf.cast(learning_rate, tf.float32))

    optimizer.update_step = update_step


def _adam(optimizer: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    index = optimizer._get_variable_index(variable)
    step = keras.ops.cast(optimizer.iterations, "float32") + 1
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=tf.pow(tf.constant(optimizer.beta_1, tf.float32), step),
        beta2_power=tf.pow(tf.constant(optimizer.beta_2, tf.float32), step),
        lr=learning_rate,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=gradient,
    )


def _sgd(optimizer: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    if not optimizer.momentum:
        tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=learning_rate, delta=gradient)
        return
    momentum = optimizer.momentums[optimizer._get_variable_index(variable)].value
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=variable.handle,
        accum=momentum.handle,
        lr=learning_rate,
        grad=gradient,
        momentum=optimizer.momentum,
        use_nesterov=optimizer.nesterov,
    )
