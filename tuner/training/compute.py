"""The precision of a run and its use of XLA, decided once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuner.training.device import backend_gpus

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]

# NVIDIA's compute capability from which tensor cores support each type.
_BFLOAT16_FROM, _FLOAT16_FROM = (8, 0), (7, 0)


@dataclass(frozen=True)
class Compute:
    """`xla` concerns TensorFlow: JAX always compiles, PyTorch never."""

    precision: Precision = "float32"
    xla: bool = False


DEFAULT_COMPUTE = Compute()


def use_precision(precision: Precision) -> None:
    """Build the next models in this precision."""
    import keras

    keras.config.set_dtype_policy(precision)


def choose_precision(wanted: Literal["auto"] | Precision) -> Precision:
    """Return the wanted precision; for "auto" the fastest one that the GPU supports in hardware.

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
    """Return the compute capability of the first GPU of the backend, () without one."""
    capability = next((gpu.capability for gpu in backend_gpus()), "")
    return tuple(map(int, capability.split("."))) if capability else ()
