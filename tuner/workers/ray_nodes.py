"""The nodes of a Ray cluster, and the versions that are installed on them."""

from __future__ import annotations

import platform
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tuner.training.device import gpu_names
from tuner.training.versions import differing, installed_versions
from tuner.workers.ray_cluster import connect

# Time after which a node counts as silent.
ANSWER_S = 60.0


@dataclass(frozen=True)
class Node:
    """A machine of the cluster. `differs` names the packages with another version than here."""

    host: str
    address: str
    status: str
    """alive, dead or silent"""
    cpus: float
    gpus: float
    gpu: str
    memory_gib: float
    versions: str
    differs: str


@dataclass(frozen=True)
class _NodeFacts:
    """The facts that a node tells about itself."""

    host: str
    gpu: tuple[str, ...]
    versions: dict[str, str]


def cluster_nodes(address: str) -> list[Node]:
    """Return the nodes of a cluster, as Ray lists them.

    Args:
        address: local, auto or ray://HOST:PORT.

    Raises:
        UsageError: Ray is not installed, or no such cluster exists.
    """
    ray = connect(address)
    try:
        listed = ray.nodes()
        ask = ray.remote(_node_facts)
        asked = {
            node["NodeID"]: ask.options(
                num_cpus=0, max_retries=0, scheduling_strategy=_on(node["NodeID"])
            ).remote()
            for node in listed
            if node["Alive"]
        }
        ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_S)
        here = _versions()
        return [_node(ray, node, asked.get(node["NodeID"]), here) for node in listed]
    finally:
        ray.shutdown()


def _on(node_id: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def _node(ray: Any, listed: dict[str, Any], asked: Any, here: dict[str, str]) -> Node:
    facts = _NodeFacts(listed.get("NodeManagerHostname", ""), (), {})
    status = "dead" if asked is None else "silent"
    if asked is not None:
        with suppress(ray.exceptions.GetTimeoutError, ray.exceptions.RayError):
            facts, status = ray.get(asked, timeout=0), "alive"
    resources, versions = listed.get("Resources", {}), facts.versions
    differs = differing(versions, here) if status == "alive" else []
    return Node(
        host=facts.host,
        address=listed["NodeManagerAddress"],
        status=status,
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
        gpu=", ".join(sorted(set(facts.gpu))),
        memory_gib=round(resources.get("memory", 0.0) / 2**30, 1),
        versions=" ".join(f"{name} {version}" for name, version in versions.items()),
        differs=", ".join(f"{name} {versions.get(name, 'missing')}, here {here[name]}" for name in differs),
    )


def _node_facts() -> _NodeFacts:
    """Return the facts of the node that runs this."""
    return _NodeFacts(socket.gethostname(), tuple(gpu_names()), _versions())


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **installed_versions()}
