"""A search space for one data set: builds its models, and travels to worker processes without its code."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import DataSpec
from tuner.errors import SpaceError
from tuner.spaces.candidates import BUILD, TRAINING, build_of, owner_of
from tuner.spaces.global_settings import Changes, settings_kept, use_own_settings
from tuner.spaces.references import Resolved, resolve, split_reference, unknown
from tuner.spaces.source import is_file
from tuner.spaces.variables import holds_variables
from tuner.training.device import quiet_import
from tuner.training.fit_call import Fit, own_fit, try_fit
from tuner.training.pixels import RAW, PixelRange, set_pixels
from tuner.training.recipe import NOT_IN_FIT, TRAINING_IN_BUILD, TRAINING_NAMES, check_value

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
    source: bytes | None = None
    """Contents of the file that the reference names, for machines without the file."""
    pixels: PixelRange = RAW
    """Range of the pixels that the models expect."""

    def carried(self) -> SpaceHyperModel:
        """Return a hypermodel for machines without the user's files, if the space needs no other file."""
        file, attribute = split_reference(self.reference)
        if not is_file(file):
            return self
        path = Path(file).resolve()
        reference = f"{path}:{attribute}" if attribute else str(path)
        return replace(self, reference=reference, source=path.read_bytes())

    def load(self) -> None:
        """Import the space, and put the settings of the process back that it or a build before changed.

        A space that holds layers or other objects with weights is imported again, without their training.

        Raises:
            SpaceError: the space cannot be found or imported.
        """
        is_new = not loaded_space.cache_info().currsize
        space = loaded_space(self.reference, self.source)
        if not is_new and holds_variables(space.module, space.made(self.spec).owner):
            loaded_space.cache_clear()
            loaded_space(self.reference, self.source)
        use_own_settings()

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

    def build(self, hp: kt.HyperParameters) -> Any:
        """Return the model that the space builds for `hp`; a `build(hp)` is called without the spec.

        Raises:
            SpaceError: the space cannot be found or imported.
        """
        model = loaded_space(self.reference, self.source).made(self.spec).build(hp)
        if self.pixels != RAW and hasattr(model, "compile"):  # the build may have returned anything
            set_pixels(model, self.pixels)
        return model

    def training(self, hp: kt.HyperParameters) -> tuple[str, ...]:
        """Let the space declare hyperparameters of the training after those of `build`; return their names.

        Raises:
            SpaceError: it declares a name or a value unknown to the training, or build declares such a name.
        """
        declare = loaded_space(self.reference, self.source).made(self.spec).training
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
        idle = [parameter.name for parameter in declared if parameter.name in NOT_IN_FIT]
        if idle and self.own_fit is not None:
            raise SpaceError(
                f"training declares '{idle[0]}', which the fit of the space does not use. Declare and use it "
                "in fit."
            )
        return tuple(dict.fromkeys(parameter.name for parameter in declared))

    @property
    def own_fit(self) -> Fit | None:
        """The `fit` of a HyperModel that defines one: it trains the trials."""
        # The module of a function may have one too, which is another thing.
        return None if inspect.ismodule(self.owner) else own_fit(self.owner)

    def declare_fit(
        self, hp: kt.HyperParameters, model: Any, images: np.ndarray, labels: np.ndarray
    ) -> tuple[str, ...]:
        """Let a fit declare its hyperparameters in `hp`, and return sentences about it for the user.

        Args:
            hp: Hyperparameters that the build has filled.
            model: A built model, which a training loop of the user's own trains.
            images: Images of all classes (n, height, width, channels) of type uint8.
            labels: Their class numbers (n,).

        Raises:
            TrialError: fit raises, takes no images and labels, or changes the pixels.
        """
        if self.own_fit is None:
            return ()
        from tuner.spaces.own_fit import fit_notes

        return fit_notes(try_fit(self.own_fit, hp, model, images, labels), dict(self.fixed))

    @property
    def has_training(self) -> bool:
        """True if the space has a function that declares hyperparameters of the training."""
        return loaded_space(self.reference, self.source).made(self.spec).training is not None

    @property
    def owner(self) -> Any:
        """The hypermodel that the reference names, made for the data set, or the module of its function."""
        return loaded_space(self.reference, self.source).made(self.spec).owner

    @property
    def presets(self) -> dict[str, dict[str, Any]]:
        """Named configurations of the space: values by hyperparameter; the others have their default."""
        return loaded_space(self.reference, self.source).made(self.spec).presets


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
class _Made:
    """The functions and presets of a space, made for one data set."""

    build: Callable[[Any], Any]
    """Takes hyperparameters alone."""
    training: Callable[[Any], object] | None
    presets: dict[str, dict[str, Any]]
    owner: Any
    """The hypermodel, or the module of a function."""


@dataclass(frozen=True)
class _Space:
    """An imported space."""

    module: ModuleType
    made: Callable[[DataSpec], _Made]
    """Returns its functions for a data set; a class is created once for each."""
    about_file: tuple[str, ...]
    changes: Changes

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about the file: parts left out, global settings without effect."""
        return (*self.about_file, *self.changes.notes())


@functools.cache
def loaded_space(reference: str, source: bytes | None) -> _Space:
    """Return a space, imported once in a process.

    Args:
        source: Contents of its file, for machines without the file.
    """
    import keras

    with quiet_import():  # Keras imports TensorFlow for this, whatever its backend
        keras.utils.set_random_seed(0)  # layers that the file makes are the same in every worker
    with settings_kept() as changes:
        found = resolve(reference, source)
    made = functools.cache(functools.partial(_made, found, reference))
    return _Space(found.module, made, found.notes, changes)


def _made(found: Resolved, reference: str, spec: DataSpec) -> _Made:
    space: Any = owner_of(found.space, spec, reference)
    is_function = inspect.isroutine(space) or not hasattr(space, BUILD)
    owner = sys.modules.get(getattr(space, "__module__", ""), found.module) if is_function else space
    build = build_of(space, spec, reference)
    return _Made(build, getattr(owner, TRAINING, None), getattr(owner, "PRESETS", {}), owner)
