"""A decoded data set in Ray's object store, from which each node reads it once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.transport import Bytes, pieces


class RayDataset:
    """A data set that enters the store when the first node asks for it."""

    def __init__(self, ray: Any, dataset: Dataset) -> None:
        self._ray, self._dataset = ray, dataset
        self._references: dict[str, list[Callable[[], Bytes]]] = {}

    def references(self) -> dict[str, list[Callable[[], Bytes]]]:
        """Return functions for each file that get its pieces, in order, on the calling node."""
        if not self._references:
            for name, piece in pieces(self._dataset):
                reference = self._ray.put(np.asarray(piece))
                self._references.setdefault(name, []).append(partial(_fetch, [reference]))
        return self._references


def _fetch(references: list[Any]) -> Bytes:
    """Get one piece. Ray would resolve a reference outside a list on this machine."""
    import ray

    piece: Bytes = ray.get(references[0])
    return piece
