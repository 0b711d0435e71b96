"""The device of this process: its set-up, its share of the machine and its name."""

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
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.cache_folder import code_root

# Defaults of the environment for a backend: no noise, GPU memory on demand, and a cache on disk, of at most a
# GiB, for all but the smallest functions that JAX compiles.
DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**30),
}


# Keras and TensorFlow import these if they are installed, for functions that nothing here uses. This takes a
# third of the time of the whole import.
_OPTIONAL = ("jax", "matplotlib", "pandas", "sklearn")


# Names of the strategies of a build under way in this thread; None outside of builds.
_entered: ContextVar[list[str] | None] = ContextVar("strategies", default=None)
_UNUSED = "_unused_strategy"


@dataclass(frozen=True)
class Gpu:
    """A GPU; `capability` is NVIDIA's compute capability, such as "8.0"."""

    name: str
    capability: str


@functools.cache
def load_backend() -> None:
    """Import Keras, its backend and Keras Tuner once, without their optional libraries and without noise."""
    with quiet_import(), _missing(_OPTIONAL):
        import keras_tuner  # noqa: F401 - and Keras with its backend
    # The libraries create half a million objects for ever; later collections need not visit them.
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def without_strategy() -> Iterator[list[str]]:
    """Let TensorFlow's strategies of distribution have no effect on the models built meanwhile.

    A trial trains on one device. Yields a list that gets the names of the strategies whose scope was entered.
    """
    found: list[str] = []
    if "tensorflow" in sys.modules:
        _watch_scopes()
    token = _entered.set(found)
    try:
        yield found
    finally:
        _entered.reset(token)


def mark_unused(model: Any, strategies: Iterable[str]) -> None:
    """Keep with a model the strategies that its build wanted."""
    if names := tuple(dict.fromkeys(strategies)):
        vars(model)[_UNUSED] = ", ".join(names)


def unused_strategy(model: Any) -> str | None:
    """Return the name of the strategy that the build of a model wanted, None without one."""
    name: str | None = vars(model).get(_UNUSED)
    return name


@functools.cache
def _watch_scopes() -> None:
    from tensorflow.python.distribute import distribute_lib

    plain = distribute_lib.StrategyBase.scope

    def scope(strategy: Any) -> Any:
        entered = _entered.get()
        if entered is None or strategy is distribute_lib.get_strategy():  # the default one
            return plain(strategy)
        entered.append(type(strategy).__name__)
        return contextlib.nullcontext()

    distribute_lib.StrategyBase.scope = scope


def configured_backend() -> str:
    """Return the backend that Keras will load, by KERAS_BACKEND or its file of settings."""
    home = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))  # noqa: PTH111 - needs no home
    settings: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        settings = json.loads((home / "keras.json").read_text("utf-8"))
    return os.environ.get("KERAS_BACKEND") or settings.get("backend", "tensorflow")


@contextlib.contextmanager
def _missing(names: Iterable[str]) -> Iterator[None]:
    """Let imports of these packages fail for now, except for the backend and for imported ones."""
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
    """Import a backend without the messages that its C++ part writes to stderr.

    Variables of the environment that the user has set stay.
    """
    for name, value in (DEFAULTS | {"JAX_COMPILATION_CACHE_DIR": str(code_root() / "jax")}).items():
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
    """Return the environment of a process that computes in a number of threads, at least 1.

    TensorFlow, OpenMP (PyTorch) and XLA (JAX) read the number from variables of their own.
    """
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "NPROC")
    return dict.fromkeys(names, str(max(1, threads)))


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return _nvidia_smi("uuid")


def gpu_names() -> list[str]:
    """Return the names of the GPUs of this machine, without loading a backend."""
    return _nvidia_smi("name")


@functools.cache
def _nvidia_smi(column: str) -> list[str]:
    """Return a property of each GPU, by NVIDIA's tool; empty without GPUs."""
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
    """Return the device that Keras computes on in this process, e.g. 'GPU NVIDIA H200' or 'CPU, 2 cores'."""
    gpus = backend_gpus()
    if gpus:
        return f"GPU {gpus[0].name}" + (f" (first of {len(gpus)})" if len(gpus) > 1 else "")
    return f"CPU, {num_cores()} cores"


def backend_gpus() -> list[Gpu]:
    """Return the GPUs that the backend of Keras can use."""
    import keras

    match keras.config.backend():
        case "tensorflow":
            import tensorflow as tf

            devices = tf.config.list_physical_devices("GPU")
            details = [tf.config.experimental.get_device_details(device) for device in devices]
            return [
                Gpu(found.get("device_name", device.name), _version(found.get("compute_capability", ())))
                for device, found in zip(devices, details, strict=True)
            ]
        case "jax":
            import jax

            devices = [device for device in jax.devices() if device.platform == "gpu"]
            return [Gpu(device.device_kind, device.compute_capability) for device in devices]
        case "torch":
            import torch

            return [
                Gpu(torch.cuda.get_device_name(i), _version(torch.cuda.get_device_capability(i)))
                for i in range(torch.cuda.device_count())
            ]
    return []


def _version(numbers: Iterable[int]) -> str:
    return ".".join(map(str, numbers))
