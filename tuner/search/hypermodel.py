"""A search space for one data set: builds its models, and travels to worker processes without its code."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search_spaces import DataSpec
from tuner.search.spaces import resolve

if TYPE_CHECKING:
    import keras_tuner as kt


@dataclass(frozen=True)
class SpaceHyperModel:
    """The hypermodel that a reference stands for; each process imports the space for itself."""

    reference: str
    spec: DataSpec

    def build(self, hp: kt.HyperParameters) -> Any:
        """Return what the space's build gives for `hp`; a `build(hp)` is called without the spec.

        Raises:
            SpaceError: the space cannot be found or imported.
        """
        build, wants_spec = _builder(self.reference)
        return build(hp, self.spec) if wants_spec else build(hp)


@functools.cache
def _builder(reference: str) -> tuple[Callable[..., Any], bool]:
    """The build function, imported once in a process, and whether it takes the spec.

    A HyperModel class is created once.
    """
    found: Any = resolve(reference)
    build = found().build if isinstance(found, type) else found
    required = [
        parameter
        for parameter in inspect.signature(build).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    return build, len(required) >= 2
