"""Start of workers: forks of a server with a loaded backend, if forks are safe."""

from __future__ import annotations

import multiprocessing
import sys
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

from tuner.errors import UsageError, one_line
from tuner.training.device import configured_backend, load_backend


@cache
def start_context() -> BaseContext:
    """Return the context of `multiprocessing` in which workers start.

    Loading the backend takes seconds, a fork milliseconds, so further workers are ready at once. A backend
    allows forks after its import, but not after its first use.
    """
    if not _forks_are_safe():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.preload"])
    return context


def load_ahead() -> None:
    """Let the server load the backend in the background, if there is a server.

    Raises:
        UsageError: there is no space for its socket.
    """
    if start_context().get_start_method() == "forkserver":
        try:
            forkserver.ensure_running()
        except OSError as error:
            raise UsageError(
                f"cannot start workers: {one_line(error)}. Free space in the folder for temporary files, or "
                "set TMPDIR to another one."
            ) from None


def load_beside() -> None:
    """Load the backend here too while the server loads its own, if there is a server."""
    load_ahead()
    if start_context().get_start_method() == "forkserver":
        load_backend()


def _forks_are_safe() -> bool:
    """True for TensorFlow on Linux without an NVIDIA GPU.

    The system's libraries of macOS do not survive a fork, Windows has none, and CUDA and the other backends
    may start threads during their import.
    """
    return sys.platform == "linux" and configured_backend() == "tensorflow" and not has_nvidia_gpu()


def has_nvidia_gpu() -> bool:
    """True if NVIDIA's driver is loaded; this does not load a backend."""
    return Path("/dev/nvidiactl").exists()
