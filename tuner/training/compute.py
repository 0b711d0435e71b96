"""How the arithmetic is done: its precision, and whether XLA compiles it. Decided once for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]

# NVIDIA's compute capability from which tensor cores take each type.
_BFLOAT16_FROM, _FLOAT16_FROM = (8, 0), (7, 0)


@dataclass(frozen=True)
class Compute:
    """`xla` is about TensorFlow: JAX always compiles, PyTorch never."""

    precision: Precision = "float32"
    xla: bool = False


DEFAULT_COMPUTE = Compute()


def use_precision(precision: Precision) -> None:
    """Build the models that come next in this precision."""
    import keras

    keras.config.set_dtype_policy(precision)


def choose_precision(wanted: Literal["auto"] | Precision) -> Precision:
    """Return what is wanted; of "auto" the fastest mixed precision that the GPU has units for, else float32.

    Source: Keras guide "Mixed precision": bfloat16 needs no loss scale but compute capability 8.0, float16
    gains from 7.0 on; CPUs and older GPUs gain nothing.
    """
    if wanted != "auto":
        return wanted
    capability = _gpu_capability()
    if capability >= _BFLOAT16_FROM:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= _FLOAT16_FROM else "float32"


def _gpu_capability() -> tuple[int, ...]:
    """Compute capability of the first GPU that the backend sees, () where there is none."""
    import keras

    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return tuple(details.get("compute_capability", ()))
    if backend == "jax":
        import jax

        gpus = [device for device in jax.devices() if device.platform == "gpu"]
        return tuple(int(part) for part in gpus[0].compute_capability.split(".")) if gpus else ()
    if backend == "torch":
        import torch

        return torch.cuda.get_device_capability() if torch.cuda.is_available() else ()
    return ()
