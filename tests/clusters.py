"""A real Ray cluster of several nodes on this machine."""

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

# Of the test process, and so of all nodes and drivers that it starts. With gRPC's handlers of forks, Ray's
# server for clients crashes at times when it starts.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "GRPC_ENABLE_FORK_SUPPORT": "0",
}
# So many seconds may a process of Ray take to end.
END_S = 10.0


class Nodes:
    """Raylets on loopback, each with a cache for decoded images of its own, as on machines apart."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "ray_client_server_port": port},
        )
        self.client_address = f"ray://127.0.0.1:{port}"

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, name: str, cpus: int = 1, **variables: str) -> Any:
        """Let a node join that claims so many cores."""
        return self._cluster.add_node(
            num_cpus=cpus, env_vars={"TUNER_CACHE_DIR": str(self.cache(name)), **variables}
        )

    def kill(self, node: Any) -> None:
        """End a node with all that runs on it, without a word to the others."""
        self._cluster.remove_node(node, allow_graceful=False)

    def cache(self, name: str) -> Path:
        return self.folder / name

    def close(self) -> None:
        """End all nodes and what they have started, also what Ray leaves behind where a test has failed."""
        left = [process for process in psutil.Process().children(recursive=True) if _is_of_ray(process)]
        self._cluster.shutdown()
        _, alive = psutil.wait_procs(left, timeout=END_S)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=END_S)


@contextmanager
def cluster(folder: Path) -> Iterator[Nodes]:
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ |= ENVIRONMENT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        nodes = Nodes(folder)
        try:
            yield nodes
        finally:
            nodes.close()
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def worker_processes() -> list[psutil.Process]:
    """The processes of tuner's workers on all nodes, which this process has started."""
    children = psutil.Process().children(recursive=True)
    return [process for process in children if _command(process).startswith("ray::RayWorker")]


def _is_of_ray(process: psutil.Process) -> bool:
    command = _command(process)
    return command.startswith("ray::") or "/ray/" in command or "ray.util.client" in command


def _command(process: psutil.Process) -> str:
    """The command line of a process; empty where it is gone."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return " ".join(process.cmdline())
    return ""
