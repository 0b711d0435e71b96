"""Placement of workers on a cluster: nodes to avoid, and the wait for a free one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tuner.errors import TunerError

# Time without a place for any worker after which the user is told.
PATIENCE_S = 10.0


class RayPlacement:
    """The nodes that workers may use.

    Args:
        options: Options of a worker's actor.
        say: Takes messages for the user, one line each.
    """

    def __init__(self, ray: Any, options: dict[str, Any], say: Callable[[str], None]) -> None:
        self._ray, self._options, self._say = ray, options, say
        self._avoided: set[str] = set()
        self._refusal = ""
        self._placed_at, self._told = time.monotonic(), False

    @property
    def options(self) -> dict[str, Any]:
        """Options of an actor that keep it off the avoided nodes."""
        if not self._avoided:
            return self._options
        others = f"!in({','.join(sorted(self._avoided))})"
        return {**self._options, "label_selector": {"ray.io/node-id": others}}

    def avoid(self, node: str, refusal: str) -> None:
        """Avoid a node from now on, and tell the user why the first time."""
        if node not in self._avoided:
            self._say(refusal)
        self._avoided.add(node)
        self._refusal = refusal

    def start_wait(self) -> None:
        """Let the next wait be reported again."""
        self._told = False

    def report_wait(self, any_placed: bool) -> None:
        """Tell the user if no worker has had a place for PATIENCE_S seconds."""
        now = time.monotonic()
        if any_placed:
            self._placed_at, self._told = now, False
        elif now - self._placed_at > PATIENCE_S and not self._told:
            self._told = True
            wanted = f"{self._options['num_cpus']:g} CPU, {self._options['num_gpus']:g} GPU"
            self._say(f"waiting for a node of the cluster with room for a worker ({wanted})")

    def require_another_node(self) -> None:
        """Check that a node large enough for a worker is left.

        Raises:
            TunerError: all nodes of that size are avoided.
        """
        if not self._avoided:
            return
        wanted = {"CPU": self._options["num_cpus"], "GPU": self._options["num_gpus"]}
        nodes = {
            node["NodeID"]
            for node in self._ray.nodes()
            if node["Alive"] and all(node["Resources"].get(name, 0) >= wanted[name] for name in wanted)
        }
        if nodes and nodes <= self._avoided:
            raise TunerError(f"no worker can be used: {self._refusal}.")
