"""Compact vision transformer from scratch, for small images."""

from __future__ import annotations

import math
from typing import Any

import keras
import keras_tuner as kt
from keras import layers

from search_spaces._head import compiled_classifier
from search_spaces._spec import DataSpec
from search_spaces._training import declare_training

USUAL_PATCHES = 64
MIN_PATCHES = 4
MAX_PATCHES = 256
NUM_PATCH_SIZES = 3
SIDE_STEP = 32  # of images that have no patch size of their own

PRESETS: dict[str, dict[str, Any]] = {
    # ViT-Lite-6/4 on 32x32 images, 3.2 M parameters. Source: Hassani et al. 2021, table 1 and appendix A;
    # batches, learning rate 5e-4 and weight decay 3e-2 of the authors' code, to the nearest value here.
    "vit_lite_6": {
        "patch_size": 4,
        "width": 256,
        "depth": 6,
        "heads": 4,
        "mlp_ratio": 2,
        "dropout": 0.0,
        "stochastic_depth": 0.1,
        "learning_rate": 3e-4,
        "batch_size": 128,
        "patience": 10,
        "horizontal_flip": True,
        "vertical_flip": False,
        "shift": 0.1,
        "jpeg_quality": 100,
        "blur": 0.0,
        "label_smoothing": 0.1,
        "weight_decay": 5e-2,
        "schedule": "cosine",
    },
}


def build(hp: kt.HyperParameters, spec: DataSpec) -> keras.Model:
    """Build a compiled image classifier.

    Takes raw pixels 0..255 as (batch, height, width, channels) and gives probabilities: (batch, 1) of the
    second class for two classes, else (batch, num_classes). The patch sizes are those that cut the image into
    about 64 patches; a 32x32 image has 4, 8 and 2. An image that none fits is resized inside the model, each
    side to the nearest multiple of 32.

    Source: Dosovitskiy et al. 2021, An image is worth 16x16 words; depth and width for small images: Hassani
    et al. 2021, Escaping the big data paradigm with compact transformers, table 1, as is the mean over all
    patches in place of a class token; stochastic depth that grows with the block: Huang et al. 2016, section
    3; AdamW, label smoothing and decay: Touvron et al. 2021, Training data-efficient image transformers,
    table 9.
    """
    sides = patchable(*spec.image_shape[:2])
    sizes = patch_sizes(*sides)
    patch = hp.Choice("patch_size", sizes, default=sizes[0])
    width = hp.Choice("width", [64, 128, 192, 256], default=128)
    depth = hp.Int("depth", 2, 8, step=2, default=4)
    heads = hp.Choice("heads", [2, 4, 8], default=4)
    mlp_ratio = hp.Choice("mlp_ratio", [2, 4], default=2)
    dropout = hp.Choice("dropout", [0.0, 0.1, 0.2], default=0.0)
    stochastic_depth = hp.Choice("stochastic_depth", [0.0, 0.1, 0.2], default=0.1)
    inputs = x = keras.Input(spec.image_shape)
    if sides != spec.image_shape[:2]:
        x = layers.Resizing(*sides)(x)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.Dropout(dropout)(_embed_patches(x, patch, width))
    for block in range(depth):
        x = _transformer_block(x, heads, mlp_ratio, dropout, stochastic_depth * block / (depth - 1))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    optimizer = keras.optimizers.AdamW(hp.Choice("learning_rate", [1e-4, 3e-4, 1e-3, 3e-3], default=1e-3))
    return compiled_classifier(inputs, x, optimizer, spec)


def training(hp: kt.HyperParameters) -> None:
    """Declare how the models are trained: transformers need more regularisation than convolutions."""
    declare_training(hp, patience=10, label_smoothing=0.1, weight_decay=5e-2, schedule="cosine")


def patch_sizes(height: int, width: int) -> list[int]:
    """Return the divisors of both sides that give a number of patches nearest to 64, the nearest first."""
    common = math.gcd(height, width)
    divisors = [size for size in range(1, common + 1) if common % size == 0]
    distance = {size: abs(math.log(height * width / size**2 / USUAL_PATCHES)) for size in divisors}
    return sorted(divisors, key=lambda size: distance[size])[:NUM_PATCH_SIZES]


def patchable(height: int, width: int) -> tuple[int, int]:
    """Return the sides if a patch size gives 4 to 256 patches, else the nearest multiples of 32."""
    if MIN_PATCHES <= height * width / patch_sizes(height, width)[0] ** 2 <= MAX_PATCHES:
        return height, width
    rounded = [max(1, round(side / SIDE_STEP)) * SIDE_STEP for side in (height, width)]
    return rounded[0], rounded[1]


def _embed_patches(images: keras.KerasTensor, patch: int, width: int) -> keras.KerasTensor:
    """Project each patch and add the embedding of its position: (batch, patches, width).

    The bias of the projection has a row for each patch, so it is the embedding of the position.
    """
    rows, columns, channels = images.shape[1] // patch, images.shape[2] // patch, images.shape[3]
    x = layers.Reshape((rows, patch, columns, patch * channels))(images)
    x = layers.Permute((1, 3, 2, 4))(x)
    x = layers.Reshape((rows * columns, patch * patch * channels))(x)
    return layers.EinsumDense(
        "bnp,pd->bnd",
        output_shape=(rows * columns, width),
        bias_axes="nd",
        bias_initializer=keras.initializers.RandomNormal(stddev=0.02),
    )(x)


def _transformer_block(
    x: keras.KerasTensor, heads: int, mlp_ratio: int, dropout: float, drop_path: float
) -> keras.KerasTensor:
    """Attention between the patches, then two dense layers on each: (batch, patches, width) as before."""
    width = x.shape[-1]
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.MultiHeadAttention(heads, width // heads, dropout=dropout)(y, y)
    x = layers.Add()([x, _drop_branch(y, drop_path)])
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.Dense(mlp_ratio * width, activation="gelu")(y)
    y = layers.Dropout(dropout)(layers.Dense(width)(y))
    return layers.Add()([x, _drop_branch(y, drop_path)])


def _drop_branch(branch: keras.KerasTensor, rate: float) -> keras.KerasTensor:
    """Stochastic depth: in training, leave the branch out for this share of the images."""
    return layers.Dropout(rate, noise_shape=(None, 1, 1))(branch)
