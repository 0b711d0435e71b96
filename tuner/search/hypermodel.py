"""A search space as a Keras Tuner HyperModel that can travel to a worker process."""

from __future__ import annotations

import inspect
from typing import Any

import keras_tuner as kt

from search_spaces import DataSpec
from tuner.search.spaces import resolve


class SpaceHyperModel(kt.HyperModel):  # type: ignore[misc]
    """Builds the models of one space for one data set.

    Pickles as the reference and the spec: each process imports the space for itself.
    """

    def __init__(self, reference: str, spec: DataSpec) -> None:
        super().__init__(name=reference)
        self.reference = reference
        self.spec = spec
        self._space_build: Any = None

    def build(self, hp: kt.HyperParameters) -> Any:
        """Return what the space's build gives for `hp`.

        A `build(hp)` is called without the spec; a HyperModel class is created once and asked to build.

        Raises:
            SpaceError: the space cannot be found or imported.
        """
        if self._space_build is None:
            found: Any = resolve(self.reference)
            self._space_build = found().build if isinstance(found, type) else found
        if _wants_spec(self._space_build):
            return self._space_build(hp, self.spec)
        return self._space_build(hp)

    def __reduce__(self) -> tuple[Any, ...]:
        return SpaceHyperModel, (self.reference, self.spec)


def _wants_spec(build: Any) -> bool:
    positional = [
        parameter
        for parameter in inspect.signature(build).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    return len(positional) >= 2
