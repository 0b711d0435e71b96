"""Settings of a whole process that a space's file may change when it is imported."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

# Variables of the environment that a backend reads once, when it is loaded.
_READ_AT_START = ("KERAS_BACKEND", "CUDA_", "TF_", "XLA_", "JAX_")
_OF_NO_CONSEQUENCE = "TF_CPP_"


@dataclass
class Changes:
    """What a file changed."""

    policy: str = ""
    """The precision policy that it sets; "" for none."""
    seeded: bool = False
    others: list[str] = field(default_factory=list)
    """Sentences about the rest."""

    def notes(self) -> tuple[str, ...]:
        """Return sentences for the user, with the precision that is in use now."""
        import keras

        used, found = keras.config.dtype_policy().name, []
        if self.policy and self.policy != used:
            found.append(
                f"The file sets the precision {self.policy}. This has no effect: --precision decides, and it "
                f"is {used} here."
            )
        if self.seeded:
            found.append("The file sets a random seed. This has no effect: --seed decides.")
        return (*found, *self.others)


def use_own_settings() -> None:
    """Set what every model here needs and `build` may have changed: the layout of images, floats, graphs."""
    import keras

    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    if tensorflow := _loaded_tensorflow():
        tensorflow.config.run_functions_eagerly(False)
    keras.distribution.set_distribution(None)


@contextmanager
def settings_kept() -> Iterator[Changes]:
    """Import a file, put the settings back that it changes, and say which these were."""
    import keras

    changes = Changes()
    policy, environment, folder = keras.config.dtype_policy(), dict(os.environ), Path.cwd()
    before = _state()
    with _seeds_heard(lambda: setattr(changes, "seeded", True)):
        try:
            yield changes
        finally:
            after, now = _state(), keras.config.dtype_policy()
            keras.config.set_dtype_policy(policy)
            use_own_settings()
            changes.policy = now.name if now.name != policy.name else ""
            changes.others += [
                f"The file sets {name} to {after[name]}. This has no effect: a search uses {before[name]}."
                for name in after
                if after[name] != before[name]
            ]
            changes.others += _environment_put_back(environment)
            if Path.cwd() != folder:
                changes.others.append("The file changes the working folder. This has no effect on a search.")
                os.chdir(folder)


def _state() -> dict[str, Any]:
    import keras

    distribution = keras.distribution.distribution()
    state = {
        "the image data format": keras.config.image_data_format(),
        "floatx": keras.config.floatx(),
        "the distribution": type(distribution).__name__ if distribution else "one device in each worker",
    }
    tensorflow = _loaded_tensorflow()
    state["run_functions_eagerly"] = bool(tensorflow and tensorflow.config.functions_run_eagerly())
    return state


def _environment_put_back(before: dict[str, str]) -> list[str]:
    """Put variables back that a backend has read already; return a sentence about each."""
    import keras

    changed = [
        name
        for name, value in sorted(os.environ.items())
        if name.startswith(_READ_AT_START) and not name.startswith(_OF_NO_CONSEQUENCE)
        if before.get(name) != value
    ]
    notes = []
    for name in changed:
        if not (name == "KERAS_BACKEND" and os.environ[name] == keras.config.backend()):
            notes.append(
                f"The file sets {name}={os.environ[name]}. A search has read it before. Set it in the shell."
            )
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]
    return notes


@contextmanager
def _seeds_heard(hear: Callable[[], None]) -> Iterator[None]:
    """Hear of seeds; numbers that an import draws, as for the seeds of layers, are no change of the file."""

    def heard(seed: Callable[..., Any]) -> Callable[..., Any]:
        def set_seed(*args: Any, **kwargs: Any) -> Any:
            hear()
            return seed(*args, **kwargs)

        return set_seed

    owners: list[tuple[Any, str]] = [(random, "seed"), (np.random, "seed")]
    if tensorflow := _loaded_tensorflow():
        owners.append((tensorflow.random, "set_seed"))
    with ExitStack() as stack:
        for owner, name in owners:
            stack.enter_context(patch.object(owner, name, heard(getattr(owner, name))))
        yield


def _loaded_tensorflow() -> Any:
    """Return TensorFlow if the backend or the space uses it, or else None."""
    return sys.modules.get("tensorflow")
