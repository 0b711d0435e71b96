"""Attention rollout of a vision transformer, on any backend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

BATCH = 32


def attention_rollout(model: Any, images: np.ndarray) -> np.ndarray | None:
    """Return the share of each patch in the output of a transformer: maps (n, rows, columns).

    The output is that of the class token, if there is one before the patches, else the mean of all patches.
    Each map goes from 0, the patch with the smallest share, to 1. The maps do not depend on a class. None for
    a model without attention between all patches of a grid.

    Args:
        model: A Keras model whose keras.layers.MultiHeadAttention, at any depth, follow one another, each
            with a residual connection around it.
        images: Raw pixels of shape (n, height, width, channels).

    Source: Abnar & Zuidema 2020, Quantifying attention flow in transformers, section 3.
    """
    starts = range(0, len(images), BATCH)
    flows = [rollout(attention_scores(model, images[start : start + BATCH])) for start in starts]
    found = [flow for flow in flows if flow is not None]
    grid = _patch_grid(found[0].shape[-1], *images.shape[1:3]) if found else None
    if grid is None:
        return None
    rows, columns = grid
    flow = np.concatenate(found)
    has_token = flow.shape[-1] > rows * columns
    reached = flow[:, 0, 1:] if has_token else flow.mean(axis=1)
    return _stretched(reached.reshape(-1, rows, columns))


def rollout(layers: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the share of each input token in each output token: (n, tokens, tokens), with row sums of 1.

    Half of a token comes through the attention, as the mean of all heads, and half past it.

    Args:
        layers: Attention scores of each layer, of shape (n, heads, to, from), the first layer first.

    Returns:
        None without layers, or if they are not all between the same tokens.

    Source: Abnar & Zuidema 2020, equation 1 and the text before it.
    """
    shapes = {each.shape[2:] for each in layers}
    tokens = layers[0].shape[-1] if layers else 0
    if shapes != {(tokens, tokens)}:
        return None
    flow = np.eye(tokens)[None]
    for scores in layers:
        mixed = scores.mean(axis=1) + np.eye(tokens)
        flow = mixed / mixed.sum(axis=-1, keepdims=True) @ flow
    return np.asarray(flow)


def attention_scores(model: Any, images: np.ndarray) -> list[np.ndarray]:
    """Return the attention scores of a prediction of images, in the order of the layers' use.

    Each use of a keras.layers.MultiHeadAttention, also in blocks and models within the model, gives an array
    (n, heads, to, from).
    """
    import keras

    attending = [
        each for each in model._flatten_layers() if isinstance(each, keras.layers.MultiHeadAttention)
    ]
    if not attending:
        return []
    with _recording(attending) as scores:
        # `predict` compiles, and a compiled function has no numbers to record.
        model(images, training=False)
    return scores


@contextmanager
def _recording(layers: Sequence[Any]) -> Iterator[list[np.ndarray]]:
    """Record the scores of layers."""
    import keras

    scores: list[np.ndarray] = []

    def recorded(call: Any) -> Any:
        def with_scores(*args: Any, **kwargs: Any) -> Any:
            wanted = kwargs.pop("return_attention_scores", False)
            output, found = call(*args, return_attention_scores=True, **kwargs)
            scores.append(keras.ops.convert_to_numpy(keras.ops.cast(found, "float32")))
            return (output, found) if wanted else output

        return with_scores

    for layer in layers:
        layer.call = recorded(layer.call)
    try:
        yield scores
    finally:
        for layer in layers:
            del layer.call  # reveals the method of its class


def _patch_grid(tokens: int, height: int, width: int) -> tuple[int, int] | None:
    """Return rows and columns of a grid of square patches; one of the tokens may not be a patch."""
    for patches in (tokens, tokens - 1):
        rows = math.isqrt(patches * height // width)
        if patches > 1 and rows and patches % rows == 0 and rows * width == patches // rows * height:
            return rows, patches // rows
    return None


def _stretched(maps: np.ndarray) -> np.ndarray:
    lowest, highest = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    spread = highest - lowest
    return np.asarray(np.divide(maps - lowest, spread, out=np.zeros_like(maps), where=spread > 0))
