"""From a reference to a search space: a name, a file, a module, or a plugin."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tuner.errors import SpaceError, did_you_mean

IMAGE_SIZE = "IMAGE_SIZE"
"""Name in a space of the side, in pixels, of the images that it is made for."""
ENTRY_POINT_GROUP = "kt_search.spaces"
BUILTIN_PACKAGE = "search_spaces"


def check_reference(reference: str) -> None:
    """Check a reference as far as possible without importing the space.

    Raises:
        SpaceError: no built-in or plugin has this name, or there is no such file.
    """
    target, attribute = split_reference(reference)
    if target.endswith(".py"):
        _existing(Path(target))
    elif not attribute:
        _named(target)


def builtin_names() -> list[str]:
    """Return the names of the built-in spaces, without importing them."""
    return sorted(
        module.name for module in pkgutil.iter_modules(_builtin_paths()) if not module.name.startswith("_")
    )


def summary(name: str) -> str:
    """Return the first docstring line of a built-in space, read without importing Keras."""
    source = Path(_builtin_paths()[0], f"{name}.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]


def made_for_images_of(reference: str) -> int | None:
    """Return the side, in pixels, of the images that a space is made for, read without importing Keras.

    A built-in space or a file has a line such as `IMAGE_SIZE = 224`. None without such a line, and for spaces
    in other modules.

    Raises:
        SpaceError: the side is out of bounds.
    """
    from tuner.data.preparation import MAX_SIZE, MIN_SIZE

    target, _ = split_reference(reference)
    path = Path(target) if target.endswith(".py") else Path(_builtin_paths()[0], f"{target}.py")
    try:
        lines = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):  # importing it will say why, where that matters
        return None
    for line in lines:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int(side))):
                if name != IMAGE_SIZE:
                    continue
                if MIN_SIZE <= side <= MAX_SIZE:
                    return side
                raise SpaceError(
                    f"search space '{reference}': {IMAGE_SIZE} {side} is out of bounds. "
                    f"Allowed: {MIN_SIZE} to {MAX_SIZE} pixels. Correct it, or take it away."
                )
    return None


def label(reference: str) -> str:
    """Return a short name of a reference for a folder: 'my_space' for 'my_space.py:build_small'."""
    target, _ = split_reference(reference)
    return Path(target).stem if target.endswith(".py") else target.rpartition(".")[2]


def resolve(reference: str) -> Callable[..., Any]:
    """Return the build function, or the `keras_tuner.HyperModel` subclass, of a reference.

    Raises:
        SpaceError: no such name, module, file or function, or the file raises when it is imported.
    """
    target, attribute = split_reference(reference)
    if target.endswith(".py"):
        return _attribute(_load_file(Path(target)), attribute, reference)
    if attribute:
        return _attribute(_import(target, reference), attribute, reference)
    plugin = _named(target)
    if plugin is not None:
        return plugin.load()  # type: ignore[no-any-return]
    return _attribute(_import(f"{BUILTIN_PACKAGE}.{target}", reference), "", reference)


def _builtin_paths() -> list[str]:
    spec = importlib.util.find_spec(BUILTIN_PACKAGE)
    assert spec is not None
    return list(spec.submodule_search_locations or [])


def split_reference(reference: str) -> tuple[str, str]:
    """Return the name, file or module of a reference, and the function after its colon or ""."""
    target, _, attribute = reference.rpartition(":")
    if not (target and attribute.isidentifier()):  # no colon, or a Windows drive letter
        return reference, ""
    return target, attribute


def _named(name: str) -> EntryPoint | None:
    """Return the plugin of this name, None for a built-in space."""
    if name in builtin_names():
        return None
    plugins = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if name in plugins:
        return plugins[name]
    if Path(f"{name}.py").is_file():
        raise SpaceError(f"unknown search space '{name}'. Did you mean the file '{name}.py'?")
    raise SpaceError(unknown("search space", name, [*builtin_names(), *plugins]))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise SpaceError(
            f"no file '{path}' for the search space. Give a Python file with build(hp) or build(hp, spec)."
        )
    return path


def _load_file(path: Path) -> ModuleType:
    _existing(path)
    # A name that no other module can have: the file may be called random.py.
    spec = importlib.util.spec_from_file_location(f"_space_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    folder = str(path.parent.resolve())
    if folder not in sys.path:  # a user's space may import its neighbours
        sys.path.insert(0, folder)
    spec.loader.exec_module(module)
    return module


def _import(name: str, reference: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:  # as `python -m` would
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name != error.name and not name.startswith(f"{error.name}."):
            raise  # the module exists; something it imports does not
        raise SpaceError(
            f"no module '{name}' for search space '{reference}'. Give a name, a file or MODULE:FUNCTION."
        ) from error


def _attribute(module: ModuleType, name: str, reference: str) -> Callable[..., Any]:
    found = getattr(module, name or "build", None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    raise SpaceError(unknown(f"function in search space '{reference}':", name or "build", functions))


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest and all known names."""
    known = sorted(known)
    return f"unknown {what} '{name}'.{did_you_mean(name, known)} Known: {', '.join(known) or 'none'}."
