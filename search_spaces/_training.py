"""Hyperparameters of the training itself, declared alike by all spaces that search them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

import keras_tuner as kt


def declare_training(
    hp: kt.HyperParameters,
    *,
    batch_size: int = 64,
    patience: int = 10,
    horizontal_flip: bool = True,
    shift: float = 0.1,
    label_smoothing: float = 0.0,
    weight_decay: float = 0.0,
    schedule: Literal["constant", "cosine"] = "cosine",
    decayed: Sequence[str] = (),
) -> None:
    """Declare what a space leaves to the training path, with these defaults.

    The names are the contract: the training path looks the values up by them. Flips happen to every second
    image; a shift is up to this share of the side, each way; JPEG compression has at least this quality
    (100: off); a Gaussian blur has a standard deviation up to this many pixels. Vertical flips, compression
    and blur are off by default: they can wipe out what tells the classes apart. A schedule needs its epochs,
    hence the patience.

    Args:
        decayed: Values of `optimizer` that weights decay under; default: all.

    Source: flips and shifts by an eighth of the side: He et al. 2016, Deep residual learning, section 4.2;
    JPEG and blur: Wang et al. 2020, CNN-generated images are surprisingly easy to spot, section 3.3; label
    smoothing: Szegedy et al. 2016, section 7; cosine schedule: Loshchilov & Hutter 2017, SGDR; decoupled
    weight decay: Loshchilov & Hutter 2019.
    """
    hp.Choice("batch_size", [32, 64, 128], default=batch_size)
    hp.Choice("patience", [3, 5, 10], default=patience)
    hp.Boolean("horizontal_flip", default=horizontal_flip)
    hp.Boolean("vertical_flip", default=False)
    hp.Choice("shift", [0.0, 0.05, 0.1], default=shift)
    hp.Choice("jpeg_quality", [100, 80, 50], default=100)
    hp.Choice("blur", [0.0, 0.5, 1.0], default=0.0)
    hp.Choice("label_smoothing", [0.0, 0.05, 0.1], default=label_smoothing)
    with hp.conditional_scope("optimizer", list(decayed)) if decayed else nullcontext():
        hp.Choice("weight_decay", [0.0, 1e-4, 1e-3, 1e-2, 5e-2], default=weight_decay)
    hp.Choice("schedule", ["constant", "cosine"], default=schedule)
