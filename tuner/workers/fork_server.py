"""How workers start: as forks of a server that has loaded the backend already, where that is safe."""

from __future__ import annotations

import multiprocessing
import sys
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

from tuner.training.device import configured_backend, load_backend


@cache
def start_context() -> BaseContext:
    """Return the context of `multiprocessing` in which workers start.

    Loading the backend takes seconds, a fork milliseconds: a second worker, or one in place of a dead one, is
    ready at once. A backend may be forked after it was imported, but not after it was used.
    """
    if not _forks_are_safe():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.preload"])
    return context


def load_ahead() -> None:
    """Let the server begin to load the backend; returns at once. Without a server this does nothing."""
    if start_context().get_start_method() == "forkserver":
        forkserver.ensure_running()


def load_beside() -> None:
    """Load the backend here too, while the server loads its own and forks nobody; else do nothing."""
    load_ahead()
    if start_context().get_start_method() == "forkserver":
        load_backend()


def _forks_are_safe() -> bool:
    """True for TensorFlow on Linux without an NVIDIA GPU.

    On macOS the system's libraries do not survive a fork, on Windows there is none, and CUDA and the other
    backends may have started threads as they were imported.
    """
    return sys.platform == "linux" and configured_backend() == "tensorflow" and not has_nvidia_gpu()


def has_nvidia_gpu() -> bool:
    """True where the driver of NVIDIA is loaded; asked without loading a backend."""
    return Path("/dev/nvidiactl").exists()
