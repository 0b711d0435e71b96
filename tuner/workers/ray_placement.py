"""Where on a cluster a worker may be: which nodes are avoided, and what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tuner.errors import TunerError

# After so long without a place for any worker, it is said what is waited for.
PATIENCE_S = 10.0


class Room:
    """The nodes that workers may have.

    Args:
        options: Those of a worker's actor.
        say: Takes what the user should know, a line each.
    """

    def __init__(self, ray: Any, options: dict[str, Any], say: Callable[[str], None]) -> None:
        self._ray, self._options, self._say = ray, options, say
        self._avoided: set[str] = set()
        self._refusal = ""
        self._placed_at, self._told = time.monotonic(), False

    @property
    def options(self) -> dict[str, Any]:
        """Options of an actor that Ray puts where it is of use."""
        if not self._avoided:
            return self._options
        others = f"!in({','.join(sorted(self._avoided))})"
        return {**self._options, "label_selector": {"ray.io/node-id": others}}

    def avoid(self, node: str, refusal: str) -> None:
        """Do without a node from now on, and say why where that is new."""
        if node not in self._avoided:
            self._say(refusal)
        self._avoided.add(node)
        self._refusal = refusal

    def wait_again(self) -> None:
        """Let it be said once more what is waited for."""
        self._told = False

    def look(self, any_placed: bool) -> None:
        """Say what is waited for, where no worker has had a place for a while."""
        now = time.monotonic()
        if any_placed:
            self._placed_at, self._told = now, False
        elif now - self._placed_at > PATIENCE_S and not self._told:
            self._told = True
            wanted = f"{self._options['num_cpus']:g} CPU, {self._options['num_gpus']:g} GPU"
            self._say(f"waiting for a node of the cluster with room for a worker ({wanted})")

    def require_another_node(self) -> None:
        """See that there is one that a worker fits on, and that is not avoided, if any is.

        Raises:
            TunerError: all that there are, were they empty, are avoided.
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
