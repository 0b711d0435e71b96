"""Settings of `compile`, and of a strategy, that a search does not use or that slow it down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tuner.training.device import unused_strategy


def unused_settings(model: Any, _images: np.ndarray) -> Iterator[str]:
    """Say which settings of a compiled model act otherwise than in plain Keras. None changes a result."""
    import keras

    on_tensorflow = keras.config.backend() == "tensorflow"
    if model.run_eagerly:
        yield "compile has run_eagerly=True, which makes training many times slower. Leave it out."
    elif (model.steps_per_execution or 1) != 1:
        yield (
            f"steps_per_execution={model.steps_per_execution} of compile is not used: a search chooses the "
            "number of steps by their time."
        )
    chosen = bool(model.jit_compile)
    if not model.run_eagerly and chosen != bool(model._resolve_auto_jit_compile()):
        if on_tensorflow:
            yield (
                f"jit_compile={chosen} of compile is not used: --xla on, off or auto decides for all trials."
            )
        elif not chosen:
            yield "compile has jit_compile=False, which makes training many times slower. Leave it out."
    if strategy := unused_strategy(model):
        yield (
            f"{strategy} is not used: a trial trains on one device. Train several trials at a time with "
            "--workers."
        )
