"""ViT-B/16 pretrained on ImageNet, from KerasHub."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Any

import keras
import keras_tuner as kt

from search_spaces._backbones import IMAGENET, MINUS_ONE_TO_ONE, first_line, load_weights
from search_spaces._fine_tuning import compiled_with_head, features_of, three_channels
from search_spaces._spec import DataSpec
from search_spaces._training import declare_training

IMAGE_SIZE = 224  # pixels a side, as the networks were trained on
HUB_PRESET = "vit_base_patch16_224_imagenet"
# Source: Dosovitskiy et al. 2021, table 1; 16x16 pixels a patch make 196 of an image.
ARCHITECTURE: dict[str, Any] = {
    "image_shape": (224, 224, 3),
    "patch_size": 16,
    "num_layers": 12,
    "num_heads": 12,
    "hidden_dim": 768,
    "mlp_dim": 3072,
}


def build(hp: kt.HyperParameters, spec: DataSpec) -> keras.Model:
    """Build a compiled image classifier; needs KerasHub (extra `hub`).

    Takes raw pixels 0..255 as (batch, height, width, 1 or 3) and gives probabilities: (batch, 1) of the
    second class for two classes, else (batch, num_classes). The network has 86 million parameters, sees every
    image at 224x224, and is read at its class token.

    `weights` is "imagenet" (KerasHub's preset vit_base_patch16_224_imagenet), "none", or a Keras weights file
    (.weights.h5) of the network without its top. With weights, `fine_tune` is the share of its blocks, from
    the top, that train; without, everything trains and `fine_tune` has no effect.

    Raises:
        ValueError: KerasHub is not installed, the images have neither 1 nor 3 channels, or the weights cannot
            be had or do not fit.

    Source: Dosovitskiy et al. 2021, An image is worth 16x16 words.
    """
    weights = hp.Fixed("weights", IMAGENET)
    inputs = keras.Input(spec.image_shape)
    images = three_channels(inputs)
    network = _network(weights)
    tokens = features_of(hp, network, images, MINUS_ONE_TO_ONE, weights, _parts(network))
    return compiled_with_head(hp, inputs, keras.ops.take(tokens, 0, axis=1), spec)


def training(hp: kt.HyperParameters) -> None:
    """Declare how the models are trained: what is pretrained needs few epochs, in small batches."""
    declare_training(hp, batch_size=32, patience=3, shift=0.05, decayed=["adamw", "sgd"])


def _network(weights: str) -> keras.Model:
    """The network without its top: images (batch, 224, 224, 3) to class token and patches (batch, 197, 768).

    Raises:
        ValueError: KerasHub is not installed, or the weights cannot be fetched or read.
    """
    try:
        models = importlib.import_module("keras_hub").models
    except ImportError as error:
        raise ValueError('ViT-B/16 needs KerasHub. Type: pip install "kt-search[hub]"') from error
    if weights != IMAGENET:
        return load_weights(models.ViTBackbone(**ARCHITECTURE), "vit_b16", weights)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the progress of a download is not data
            return models.ViTBackbone.from_preset(HUB_PRESET)
    except Exception as error:  # whatever the network library raises
        raise ValueError(
            f"no ImageNet weights for vit_b16: {first_line(error)}. Fetch model.weights.h5 of "
            f"https://www.kaggle.com/models/keras/vit/keras/{HUB_PRESET} and give it as weights=FILE, "
            "or choose weights=none."
        ) from error


def _parts(network: keras.Model) -> list[keras.Layer]:
    """The layers from the image up; the last, the encoder, is one layer made of blocks."""
    *first, encoder = network.layers
    return [*first, *encoder.encoder_layers, encoder.layer_norm]
