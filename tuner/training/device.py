"""Where the arithmetic runs: set up the device of this process and name it."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import subprocess
from collections.abc import Iterator

from tuner.data.cache import cache_root

# Set where unset before a backend is imported: no noise, GPU memory as needed, and of what JAX compiles
# all but the smallest kept on disk, up to a GiB.
_DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**30),
}


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Import a backend without the notes that its C++ part writes to stderr before it can be told not to.

    Variables of the environment that the user has set stay.
    """
    for name, value in (_DEFAULTS | {"JAX_COMPILATION_CACHE_DIR": str(cache_root() / "jax")}).items():
        os.environ.setdefault(name, value)
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


def share_of_machine(number: int, workers: int) -> dict[str, str]:
    """Return the environment of worker `number` of several: its threads and its GPU.

    TensorFlow, OpenMP (PyTorch) and XLA (JAX) read the threads from variables of their own; those that are
    set stay. A single worker has the whole machine.
    """
    if workers == 1:
        return {}
    threads = str(max(1, num_cores() // workers))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "NPROC")
    share = {name: threads for name in names if name not in os.environ}
    gpus = _visible_gpus()
    return share | ({"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {})


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _visible_gpus() -> list[str]:
    """Names by which CUDA_VISIBLE_DEVICES knows the GPUs that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return _installed_gpus()


@functools.cache
def _installed_gpus() -> list[str]:
    """Names of all GPUs, asked for once: it takes a process."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split()


def describe_device() -> str:
    """Name the device that Keras computes on in this process, e.g. 'GPU NVIDIA H200' or 'CPU, 2 cores'."""
    import keras

    names = _GPU_NAMES[keras.config.backend()]()
    if names:
        return f"GPU {names[0]}" + (f" (first of {len(names)})" if len(names) > 1 else "")
    return f"CPU, {num_cores()} cores"


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
