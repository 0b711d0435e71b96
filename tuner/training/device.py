"""Where the arithmetic runs: set up the device of this process and name it."""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

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


# Keras and TensorFlow import these where they are installed, for functions that nothing here uses. They take
# a third of the time of the whole import.
_OPTIONAL = ("jax", "matplotlib", "pandas", "sklearn")


@functools.cache
def load_backend() -> None:
    """Import Keras, its backend and Keras Tuner once, without their optional libraries and without noise."""
    with quiet_import(), _missing(_OPTIONAL):
        import keras_tuner  # noqa: F401 - and Keras with its backend
    # Half a million objects of the libraries stay for ever; no later collection need visit them.
    gc.collect()
    gc.freeze()


def configured_backend() -> str:
    """Return the backend that Keras will load: that of KERAS_BACKEND, else of its file of settings."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    settings: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        settings = json.loads((home / "keras.json").read_text("utf-8"))
    return os.environ.get("KERAS_BACKEND") or settings.get("backend", "tensorflow")


@contextlib.contextmanager
def _missing(names: Iterable[str]) -> Iterator[None]:
    """Let imports of these packages fail for now, except for the backend and for what is imported already."""
    hidden = [name for name in names if name not in (*sys.modules, configured_backend())]
    modules: dict[str, Any] = dict.fromkeys(hidden)  # Python raises ImportError for a module that is None
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


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

    Variables that are set stay. A single worker has the whole machine.
    """
    if workers == 1:
        return {}
    wanted = threads_environment(num_cores() // workers)
    share = {name: threads for name, threads in wanted.items() if name not in os.environ}
    gpus = _visible_gpus()
    return share | ({"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {})


def threads_environment(threads: int) -> dict[str, str]:
    """Return the environment of a process that is to compute in so many threads, at least 1.

    TensorFlow, OpenMP (PyTorch) and XLA (JAX) read the number from variables of their own.
    """
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "NPROC")
    return dict.fromkeys(names, str(max(1, threads)))


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
    """Names of all GPUs for CUDA, asked for once: it takes a process."""
    return _nvidia_smi("uuid")


def gpu_names() -> list[str]:
    """Return what the GPUs of this machine are called, without loading a backend."""
    return _nvidia_smi("name")


def _nvidia_smi(column: str) -> list[str]:
    """What NVIDIA's tool says of each GPU; nothing where there is none."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", f"--query-gpu={column}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


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
