"""The connection to a Ray cluster, and the share of a worker in it."""

from __future__ import annotations

import logging
import math
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tuner.errors import UsageError, one_line
from tuner.training.device import num_cores
from tuner.workers.signals import STOPPING

# Defaults before the import of Ray: it neither sends usage statistics nor hides GPUs from other libraries.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}
_TOKEN = "where a token is asked for, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
_HINTS = {
    "loc": "Ray could not be started on this machine; leave --cluster out, or try again",
    "aut": f"Start one with: ray start --head; {_TOKEN}",
    "ray": f"Correct the address; {_TOKEN}",
}
# A head node forks a server for each client from a process with threads, and some of these forks die.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Share:
    """The cluster of the workers, and the share of each in its node."""

    address: str
    """As in the request: local, auto or ray://HOST:PORT."""
    workers: int
    cpus: float | None = None
    """None: on one machine its share, else one core."""
    gpus: float | None = None
    """None: its share of all GPUs, one at most."""
    memory_mib: float | None = None


def options_of(share: Share, total: dict[str, float]) -> dict[str, Any]:
    """Return the options of a worker's actor.

    Args:
        total: Present resources of the cluster.

    Raises:
        UsageError: this machine is too small for a worker.
    """
    local = share.address == "local"
    cpus = share.cpus or (max(1, num_cores() // share.workers) if local else 1)
    gpus = _gpu_share(total.get("GPU", 0.0), share.workers) if share.gpus is None else share.gpus
    for name, wanted in (("CPU", cpus), ("GPU", gpus)):
        if local and wanted > total.get(name, 0.0):
            raise UsageError(
                f"--{name.lower()}s-per-trial {wanted:g}: this machine has {total.get(name, 0.0):g}. "
                "Ask for less."
            )
    memory = {} if share.memory_mib is None else {"memory": int(share.memory_mib * 2**20)}
    # One call waits for messages while others bring requests.
    return {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": 0, "max_concurrency": 4, **memory}


def _gpu_share(gpus: float, workers: int) -> float:
    """Return the share of a worker in one GPU, rounded down to Ray's unit, a ten-thousandth."""
    if gpus < 1:
        return gpus
    sharing = math.ceil(workers / gpus)
    return math.floor(1e4 / sharing) / 1e4


def connect(address: str) -> Any:
    """Join a Ray cluster, or start one on this machine; return the library.

    Args:
        address: local, auto (where `ray start` or RAY_ADDRESS say) or ray://HOST:PORT.

    Raises:
        UsageError: Ray is not installed, or no such cluster exists.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise UsageError("--cluster needs Ray. Install it with: pip install 'kt-search[ray]'") from None
    try:
        with handlers_kept():
            _init(ray, address)
    except (
        *(ConnectionError, TimeoutError, RuntimeError, ValueError, OSError),
        ray.exceptions.RayError,
    ) as error:
        reason = last_line(error) if "Traceback" in str(error) else one_line(error).rstrip(".")
        raise UsageError(f"no Ray cluster at '{address}': {reason}. {_HINTS[address[:3]]}.") from None
    return ray


def _init(ray: Any, address: str) -> None:
    warnings.filterwarnings("ignore", "Ray Client connection timed out", UserWarning)
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address == "local":
        ray.init("local", num_cpus=num_cores(), include_dashboard=False, **quiet)
    else:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                ray.init(address, **quiet)
                break
            except ConnectionAbortedError:
                if attempt == _ATTEMPTS:
                    raise
    # Ray writes about dead nodes to stdout, which is for data, and no option prevents it.
    ray._private.worker.print_worker_logs = lambda *_: None


def last_line(error: Exception) -> str:
    """Return the last line of an error, below the remote traceback, without a full stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip().rstrip(".")


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Restore our signal handlers, which save the search, after Ray has set its own."""
    kept = {number: signal.getsignal(number) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
