"""Number of floating-point operations of a model for one image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

Shape = tuple[int, ...]


def count_flops(model: Any, image_shape: tuple[int, int, int]) -> int:
    """Return the number of floating-point operations of a forward pass; a multiply-add counts as two.

    It counts each use of convolutions, dense layers and multi-head attention at any depth of the model. It
    leaves out biases, activations, normalisation and pooling, together a few percent, and the own operations
    of a user's layers. The pass only traces shapes.

    Args:
        image_shape: (height, width, channels).
    """
    import keras

    class Forward(keras.Operation):  # type: ignore[misc]
        """Calls each layer; a model with a symbolic image only looks up the shape of its output."""

        def call(self, images: Any) -> Any:
            return model(images, training=False)

    total = 0

    def add(layer: Any, inputs: Mapping[str, Shape], output: Shape) -> None:
        nonlocal total
        total += 2 * _multiply_adds(layer, inputs, output)

    with _each_call(add):
        Forward().symbolic_call(keras.KerasTensor((1, *image_shape)))
    return total


@contextmanager
def _each_call(report: Callable[[Any, Mapping[str, Shape], Shape], None]) -> Iterator[None]:
    """Report each call of a layer with the shapes of its inputs and its output."""
    import keras

    call = keras.Layer.__call__

    def reporting_call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = call(layer, *args, **kwargs)
        if hasattr(outputs, "shape"):
            named = dict(zip(("query", "value"), args, strict=False)) | kwargs
            shapes = {name: tuple(x.shape) for name, x in named.items() if hasattr(x, "shape")}
            report(layer, shapes, tuple(outputs.shape))
        return outputs

    keras.Layer.__call__ = reporting_call
    try:
        yield
    finally:
        keras.Layer.__call__ = call


def _multiply_adds(layer: Any, inputs: Mapping[str, Shape], output: Shape) -> int:
    """Return the multiply-adds of a layer itself; the layers inside it report their own."""
    from keras import layers

    match layer:
        case layers.Dense():
            return prod(output[:-1]) * _size(layer.kernel)
        case layers.EinsumDense():
            return prod(inputs["query"]) * _einsum_outputs(layer)
        case layers.Conv1DTranspose() | layers.Conv2DTranspose() | layers.Conv3DTranspose():
            return _positions(inputs["query"], layer) * _size(layer.kernel)
        case layers.SeparableConv1D() | layers.SeparableConv2D():
            kernels = _size(layer.depthwise_kernel) + _size(layer.pointwise_kernel)
            return _positions(output, layer) * kernels
        case (
            layers.Conv1D()
            | layers.Conv2D()
            | layers.Conv3D()
            | layers.DepthwiseConv1D()
            | layers.DepthwiseConv2D()
        ):
            # The kernel of a grouped convolution has the channels of one group.
            return _positions(output, layer) * _size(layer.kernel)
        case layers.MultiHeadAttention():
            query, value = inputs["query"], inputs["value"]
            pairs = prod(query[:-1]) * prod(value[1:-1])
            return int(pairs * layer.num_heads * (layer.key_dim + layer.value_dim))
    return 0


def _size(weights: Any) -> int:
    return int(prod(weights.shape))


def _positions(shape: Shape, layer: Any) -> int:
    """Return the number of pixels of all images."""
    return prod(shape[:-1]) if layer.data_format == "channels_last" else shape[0] * prod(shape[2:])


def _einsum_outputs(layer: Any) -> int:
    """Return the number of products of each input value: the size of the kernel along its own axes."""
    inputs, kernel = layer.equation.partition("->")[0].split(",")
    return prod(
        size for axis, size in zip(kernel.strip(), layer.kernel.shape, strict=True) if axis not in inputs
    )
