"""Operations of TensorFlow that ONNX has under another name, and tf2onnx does not know of."""

from __future__ import annotations

from typing import Any

import numpy as np


def register_operations() -> None:
    """Let tf2onnx write Erfc, as part of which TensorFlow computes an exact GELU.

    It would leave the node as it is, and no runtime could load the file.
    """
    from tf2onnx.handler import tf_op

    tf_op("Erfc")(_Erfc)


class _Erfc:
    """1 - erf(x), with the Erf that ONNX has had since its ninth set of operations."""

    @classmethod
    def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
        name, (x,), outputs = node.name, node.input, node.output
        shapes, dtypes = node.output_shapes, node.output_dtypes
        ctx.remove_node(name)
        erf = ctx.make_node("Erf", [x], op_name_scope=name)
        one = ctx.make_const(f"{name}__one", np.array(1, np.float32))
        operands = [one.output[0], erf.output[0]]
        ctx.make_node("Sub", operands, outputs=outputs, name=name, shapes=shapes, dtypes=dtypes)
