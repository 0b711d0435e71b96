"""One step of training of the untrained default model, before a search trains for hours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuner.errors import SpaceError, TunerError
from tuner.training.build import is_out_of_memory
from tuner.training.error_text import described
from tuner.training.loop import make_loop
from tuner.training.task import TrialError

OF_EACH_CLASS = 2
"""Number of images."""


def train_one_step(model: Any, image_shape: tuple[int, ...], num_classes: int) -> str | None:
    """Train a compiled model one step, as a trial does; return why its loss is no number, None if it is.

    Args:
        image_shape: (height, width, channels) of the images, which are noise.

    Raises:
        SpaceError: a layer, the loss, a metric or the optimizer raises.
    """
    labels = np.arange(OF_EACH_CLASS * num_classes) % num_classes
    images = np.random.default_rng(0).integers(0, 256, (len(labels), *image_shape)).astype(np.uint8)
    try:
        loss = make_loop(model, images, labels).try_step(np.arange(len(labels)))
    except (TrialError, TunerError) as error:
        raise SpaceError(str(error)) from error
    except Exception as error:  # it is the user's code
        if is_out_of_memory(error):
            raise
        raise SpaceError(f"training raises {described(error)}") from error
    if math.isfinite(loss):
        return None
    return f"the loss of the first step is {loss}. Look at the loss and at the outputs of the model."
