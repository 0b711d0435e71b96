"""Where the arithmetic runs: set up the device of this process and name it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Import a backend without the notes that its C++ part writes to stderr before it can be told not to."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def quiet_environment() -> dict[str, str]:
    """Variables to set, where unset, before a backend is imported: no noise, GPU memory as needed."""
    return {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }


def describe_device() -> str:
    """Name the device that Keras computes on in this process, e.g. 'GPU NVIDIA H200' or 'CPU, 2 cores'."""
    import keras

    names = _GPU_NAMES[keras.config.backend()]()
    if names:
        return f"GPU {names[0]}" + (f" (first of {len(names)})" if len(names) > 1 else "")
    return (
        f"CPU, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"
    )


def _tensorflow_gpus() -> list[str]:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]


def _jax_gpus() -> list[str]:
    import jax

    return [device.device_kind for device in jax.devices() if device.platform == "gpu"]


def _torch_gpus() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


_GPU_NAMES = {
    "tensorflow": _tensorflow_gpus,
    "jax": _jax_gpus,
    "torch": _torch_gpus,
    "openvino": list,
    "numpy": list,
}
