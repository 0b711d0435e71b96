"""A search space for one data set: builds its models, and travels to worker processes without its code."""

from __future__ import annotations

import functools
import inspect
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import DataSpec
from tuner.errors import SpaceError
from tuner.files import replace_text
from tuner.spaces.references import builtin_names, resolve, split_reference, unknown
from tuner.spaces.weights import WEIGHTS
from tuner.training.recipe import TRAINING_IN_BUILD, TRAINING_NAMES, check_value

EPOCHS = "epochs"

if TYPE_CHECKING:
    import keras_tuner as kt


@dataclass(frozen=True)
class SpaceHyperModel:
    """The hypermodel of a reference; each process imports the space for itself."""

    reference: str
    spec: DataSpec
    only: tuple[str, ...] = ()
    """NAME=VALUE|VALUE,...: the only values to search of these hyperparameters."""
    fixed: tuple[tuple[str, Any], ...] = ()
    """Names and values of hyperparameters of the training, where the space declares them."""
    source: str | None = None
    """Text of the file that the reference names, for machines without the file."""

    def carried(self) -> SpaceHyperModel:
        """Return a hypermodel for machines without the user's files, if the space needs no other file."""
        file, attribute = split_reference(self.reference)
        if not file.endswith(".py"):
            return self
        path = Path(file).resolve()
        reference = f"{path}:{attribute}" if attribute else str(path)
        return replace(self, reference=reference, source=path.read_text("utf-8"))

    def hyperparameters(self) -> kt.HyperParameters:
        """Return hyperparameters for the space to declare itself in, restricted to the values of `only`.

        Raises:
            UsageError: `only` cannot be understood.
        """
        # Keras Tuner takes a second to import, which the driver uses for other things.
        from tuner.spaces.restriction import RestrictedHyperParameters, wanted_values

        hp = RestrictedHyperParameters(wanted_values(self.only, self.presets))
        hp.fix(self.fixed_in_build)
        return hp

    @property
    def fixed_in_build(self) -> dict[str, Any]:
        """Values of the request for hyperparameters of the training that a build may declare."""
        return {name: value for name, value in self.fixed if name in TRAINING_IN_BUILD}

    def unfold(self, hp: kt.HyperParameters) -> tuple[kt.HyperParameters, tuple[str, ...]]:
        """Return the whole space of the model, and sentences about it for the user.

        The built-in spaces declare all of it in the first build, which their tests say.

        Args:
            hp: Hyperparameters that the default build has filled.

        Raises:
            SpaceError: the space declares a hyperparameter that a search decides.
        """
        refuse_epochs(parameter.name for parameter in hp.space)
        if self.reference in builtin_names():
            return hp, ()
        from tuner.spaces.sample_models import Subject
        from tuner.spaces.unfolding import sentences

        unfolded = Subject(self).unfolded
        refuse_epochs(unfolded.late)
        # The samples have no pretrained weights.
        weights = [parameter for parameter in hp.space if parameter.name == WEIGHTS]
        others = [parameter for parameter in unfolded.parameters if parameter.name != WEIGHTS]
        whole = self.hyperparameters()
        whole.merge([*weights, *others])
        return whole, sentences(unfolded)

    def build(self, hp: kt.HyperParameters) -> Any:
        """Return the model that the space builds for `hp`; a `build(hp)` is called without the spec.

        Raises:
            SpaceError: the space cannot be found or imported.
        """
        space = loaded_space(self.reference, self.source)
        return space.build(hp, self.spec) if space.wants_spec else space.build(hp)

    def training(self, hp: kt.HyperParameters) -> tuple[str, ...]:
        """Let the space declare hyperparameters of the training after those of `build`; return their names.

        Raises:
            SpaceError: it declares a name or a value unknown to the training, or build declares such a name.
        """
        declare = loaded_space(self.reference, self.source).training
        if declare is None:
            in_build = [parameter for parameter in hp.space if parameter.name in TRAINING_IN_BUILD]
            for parameter in in_build:
                _check_training(parameter)
            return tuple(dict.fromkeys(parameter.name for parameter in in_build))
        of_model = {parameter.name for parameter in hp.space}
        if taken := sorted(of_model.intersection(TRAINING_NAMES)):
            raise SpaceError(
                f"build declares '{taken[0]}', a hyperparameter of the training. Rename it there."
            )
        if hasattr(hp, "fix"):
            hp.fix(dict(self.fixed))
        declare(hp)
        declared = [parameter for parameter in hp.space if parameter.name not in of_model]
        for parameter in declared:
            _check_training(parameter)
        return tuple(dict.fromkeys(parameter.name for parameter in declared))

    def notes(self, model: Any, images: np.ndarray) -> tuple[str, ...]:
        """Return sentences about the space that its user should read before a search.

        The tests of the built-in spaces say that there are none.

        Args:
            model: The untrained default model.
            images: A few images of the data set (n, height, width, channels), as trained on.
        """
        space = loaded_space(self.reference, self.source)
        if self.reference in builtin_names():
            return space.notes
        from tuner.spaces.notes import notes_on

        return (*space.notes, *notes_on(model, images))

    @property
    def has_training(self) -> bool:
        """True if the space has a function that declares hyperparameters of the training."""
        return loaded_space(self.reference, self.source).training is not None

    @property
    def presets(self) -> dict[str, dict[str, Any]]:
        """Named configurations of the space: values by hyperparameter; the others have their default."""
        return loaded_space(self.reference, self.source).presets


def refuse_epochs(names: Iterable[str]) -> None:
    """Refuse a hyperparameter for the number of epochs: a table would show another than was trained.

    Raises:
        SpaceError: it is among these names.
    """
    if EPOCHS in names:
        raise SpaceError(
            f"build declares '{EPOCHS}', but the search decides the number of epochs of each trial. Take it "
            "out of build, and give --max-epochs."
        )


def _check_training(parameter: Any) -> None:
    """Refuse a hyperparameter or a value that is unknown to the training.

    Raises:
        SpaceError: it is unknown; the text lists the known ones.
    """
    name = parameter.name
    if name not in TRAINING_NAMES:
        raise SpaceError(unknown("hyperparameter of the training", name, TRAINING_NAMES))
    is_range = hasattr(parameter, "min_value")
    for value in (parameter.min_value, parameter.max_value) if is_range else parameter.values:
        try:
            check_value(name, value)
        except ValueError as error:
            raise SpaceError(f"{error}; the space declares {value}.") from None


@dataclass(frozen=True)
class _Space:
    """The functions and presets of an imported space."""

    build: Callable[..., Any]
    wants_spec: bool
    training: Callable[[Any], object] | None
    presets: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = ()
    """Sentences for the user about the file: parts left out, global settings without effect."""


def _unpacked(reference: str, source: str) -> str:
    """Return a reference to a file with this text: the one that is named, or a copy."""
    file, attribute = split_reference(reference)
    path = Path(file)
    if not (path.is_file() and path.read_text("utf-8") == source):
        folder = f"tuner-space-{blake2b(source.encode(), digest_size=8).hexdigest()}"
        path = Path(tempfile.gettempdir(), folder, path.name)
        # Workers of one machine come here together; none writes again a file that another has written.
        if not (path.is_file() and path.read_text("utf-8") == source):
            replace_text(path, source)
    return f"{path}:{attribute}" if attribute else str(path)


@functools.cache
def loaded_space(reference: str, source: str | None) -> _Space:
    """Return a space, imported once in a process; a HyperModel class is created once."""
    found: Any = resolve(reference if source is None else _unpacked(reference, source))
    owner = found() if isinstance(found, type) else sys.modules[found.__module__]
    build = owner.build if isinstance(found, type) else found
    required = [
        parameter
        for parameter in inspect.signature(build).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    return _Space(build, len(required) >= 2, getattr(owner, "training", None), getattr(owner, "PRESETS", {}))
