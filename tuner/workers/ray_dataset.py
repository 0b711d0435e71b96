"""A decoded data set in Ray's object store, from where each node takes it once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.transport import Bytes, pieces


class Parcel:
    """Is put into the store when the first node asks for it."""

    def __init__(self, ray: Any, dataset: Dataset) -> None:
        self._ray, self._dataset = ray, dataset
        self._references: dict[str, list[Callable[[], Bytes]]] = {}

    def references(self) -> dict[str, list[Callable[[], Bytes]]]:
        """Return for each file what gets its pieces, in order, on the node that calls it."""
        if not self._references:
            for name, piece in pieces(self._dataset):
                reference = self._ray.put(np.asarray(piece))
                self._references.setdefault(name, []).append(partial(_fetch, [reference]))
        return self._references


def _fetch(references: list[Any]) -> Bytes:
    """Get one piece; a reference that is not inside a list would be resolved on the way, here."""
    import ray

    piece: Bytes = ray.get(references[0])
    return piece
