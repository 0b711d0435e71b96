"""The object of a module that is its search space: a function, a class or an instance."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any

from search_spaces import DataSpec
from tuner.errors import SpaceError, did_you_mean
from tuner.spaces.arguments import arguments, unknown_arguments
from tuner.spaces.code_names import attributes_of, read_names

BUILD = "build"
DECLARE = "declare_hyperparameters"
# A function of this name declares hyperparameters of the training.
TRAINING = "training"
HP_NAMES = frozenset({"hp", "hps", "hyperparameters", "hyper_parameters", "hparams"})
DECLARATIONS = frozenset({"Int", "Float", "Choice", "Boolean", "Fixed"})
"""Methods of `HyperParameters` that a space calls."""


def space_of(module: ModuleType, name: str, reference: str) -> Any:
    """Return the object of this name; without a name `build`, or else the only space that the module defines.

    Raises:
        SpaceError: there is no such object, or there are several.
    """
    found: Any = module
    for part in (name or BUILD).split("."):  # of a plugin, it may be in a class
        found = getattr(found, part, None)
    if _can_build(found):
        return found
    known = _defined(module)
    if not name:
        candidates = _candidates(known)
        if len(candidates) == 1:
            return next(iter(candidates.values()))
        if candidates:
            raise SpaceError(
                f"search space '{reference}' defines {len(candidates)} spaces: {', '.join(candidates)}. "
                f"Name one, e.g. {reference}:{next(iter(candidates))}."
            )
    name = name or BUILD
    names = sorted(key for key in known if not key.startswith("_"))
    raise SpaceError(
        f"unknown function in search space '{reference}': '{name}'.{did_you_mean(name, names)} "
        f"Known: {', '.join(names) or 'none'}."
    )


def owner_of(found: Any, spec: DataSpec, reference: str) -> Any:
    """Return the object with the methods of a space: an instance, or the module of a function.

    A class is created with the shape and the number of classes of the data, where it takes them.

    Raises:
        SpaceError: the class needs other arguments.
    """
    if isinstance(found, type):
        return found(**arguments(found, spec, f"search space '{reference}': class {found.__name__}"))
    return found


def build_of(found: Any, spec: DataSpec, reference: str) -> Callable[[Any], Any]:
    """Return a function of `hp` alone that builds the models of a function or an instance.

    Of a second parameter the name does not matter: it is the spec.

    Raises:
        SpaceError: it needs other arguments.
    """
    function = found if inspect.isroutine(found) or not hasattr(found, BUILD) else _whole_build(found)
    # keras_tuner.HyperModel hides the parameters behind those of a wrapper.
    declared = getattr(found, "_build", function)
    parameters = list(inspect.signature(declared).parameters.values())
    required = [
        each
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) and each.default is each.empty
    ]
    rest = _without_first(declared)
    if len(required) == 2 and unknown_arguments(rest):
        return lambda hp: function(hp, spec)
    label = getattr(function, "__name__", BUILD)
    given = arguments(rest, spec, f"search space '{reference}': {label}")
    return lambda hp: function(hp, **given)


def _whole_build(hypermodel: Any) -> Callable[..., Any]:
    """Return its build, after the hyperparameters that a `keras_tuner.HyperModel` may declare before."""
    import keras_tuner as kt

    declare = getattr(type(hypermodel), DECLARE, None)
    if declare is None or declare is getattr(kt.HyperModel, DECLARE):
        return hypermodel.build  # type: ignore[no-any-return]

    @functools.wraps(hypermodel.build)
    def build(hp: Any, *args: Any, **kwargs: Any) -> Any:
        getattr(hypermodel, DECLARE)(hp)
        return hypermodel.build(hp, *args, **kwargs)

    return build


def unused_tuners(module: ModuleType) -> list[str]:
    """Return the names of the classes that a module derives from a Tuner or an Oracle of Keras Tuner."""
    import keras_tuner as kt

    classes = {name: value for name, value in _defined(module).items() if isinstance(value, type)}
    return [
        name
        for name, value in classes.items()
        if issubclass(value, kt.engine.base_tuner.BaseTuner | kt.Oracle)
    ]


def _without_first(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a stand-in with the parameters of a function but the first, which is `hp`."""
    signature = inspect.signature(function)

    def rest() -> None: ...

    rest.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(signature.parameters.values())[1:]
    )
    return rest


def _can_build(value: Any) -> bool:
    return callable(value) or callable(getattr(value, BUILD, None))


def _defined(module: ModuleType) -> dict[str, Any]:
    """Return the functions, classes and instances with `build` that a module defines, without its imports."""
    found = {}
    for name, value in vars(module).items():
        base = value.func if isinstance(value, functools.partial) else value
        own = getattr(base, "__module__", None) == module.__name__
        is_instance = not (isinstance(value, type | ModuleType) or inspect.isroutine(value))
        if (own and callable(value)) or (is_instance and _is_space(value)):
            found[name] = value
    return found


def _candidates(known: dict[str, Any]) -> dict[str, Any]:
    """Return the spaces among these objects, without those that another one uses."""
    spaces = {name: value for name, value in known.items() if name != TRAINING and _is_space(value)}
    kinds = {type(value) for value in spaces.values()}
    bases = {base for value in spaces.values() if isinstance(value, type) for base in value.__mro__[1:]}
    spaces = {name: value for name, value in spaces.items() if not _is_one_of(value, kinds | bases)}
    read = {name: set().union(*map(read_names, _codes(value))) for name, value in spaces.items()}
    spaces = {
        name: value
        for name, value in spaces.items()
        if not any(name in names for other, names in read.items() if other != name)
    }
    complete = {name: value for name, value in spaces.items() if not _needs_more(value)}
    return complete or spaces


def _is_one_of(value: Any, types: set[type]) -> bool:
    return isinstance(value, type) and value in types


def _is_space(value: Any) -> bool:
    import keras
    import keras_tuner as kt

    if isinstance(value, type):
        build = getattr(value, BUILD, None)
        if issubclass(value, kt.HyperModel):
            return build is not kt.HyperModel.build
        bound = isinstance(inspect.getattr_static(value, BUILD, None), staticmethod | classmethod)
        return not issubclass(value, keras.Layer) and callable(build) and _takes_hp(build, 0 if bound else 1)
    if isinstance(value, kt.HyperModel):
        return True
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        return _takes_hp(value, 0) and len(unknown_arguments(_without_first(value))) <= 1
    build = getattr(value, BUILD, value)  # Keras Tuner calls an instance, too
    return not isinstance(value, keras.Layer) and callable(build) and _takes_hp(build, 0)


def _takes_hp(function: Any, position: int) -> bool:
    """True for a function whose parameter at this position is a container of hyperparameters."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    if len(parameters) <= position:
        return False
    parameter = parameters[position]
    if parameter.name in HP_NAMES or "HyperParameters" in str(parameter.annotation):
        return True
    return any(attributes_of(parameter.name, code) & DECLARATIONS for code in _codes(function))


def _needs_more(value: Any) -> bool:
    """True for a function with a second parameter of any name, as builders of a part have."""
    if isinstance(value, type) or not callable(value):
        return False
    return bool(unknown_arguments(_without_first(value)))


def _codes(value: Any) -> Iterator[CodeType]:
    """Yield the code of a function, or of the methods of a class or of an instance's class."""
    base = inspect.unwrap(getattr(getattr(value, "func", value), "__func__", value))
    if code := getattr(base, "__code__", None):
        yield code
        return
    kind = value if isinstance(value, type) else type(value)
    for each in vars(kind).values():
        if code := getattr(getattr(each, "__func__", each), "__code__", None):
            yield code
