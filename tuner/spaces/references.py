"""From a reference to a search space: a name, a file, a module, or a plugin."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tuner.errors import SpaceError, did_you_mean
from tuner.spaces.candidates import space_of, unused_tuners
from tuner.spaces.imports import add_working_folder, import_file, import_module
from tuner.spaces.source import SUFFIXES, is_file, read_source, read_tree
from tuner.training.source_code import is_installed

IMAGE_SIZE = "IMAGE_SIZE"
"""Name in a space of the side, in pixels, of the images that it is made for."""
ENTRY_POINT_GROUP = "kt_search.spaces"
BUILTIN_PACKAGE = "search_spaces"


@dataclass(frozen=True)
class Resolved:
    """The object that a reference names, its module, and sentences about its file for the user."""

    space: Any
    module: ModuleType
    notes: tuple[str, ...]


def check_reference(reference: str) -> None:
    """Check a reference as far as possible without importing the space.

    Raises:
        SpaceError: no built-in or plugin has this name, there is no such file, or it does more than define a
            space.
    """
    target, attribute = split_reference(reference)
    if is_file(target):
        read_source(_existing(Path(target)), attribute)
    elif not attribute:
        _named(target)


def builtin_names() -> list[str]:
    """Return the names of the built-in spaces, without importing them."""
    return sorted(
        module.name for module in pkgutil.iter_modules(_builtin_paths()) if not module.name.startswith("_")
    )


def is_installed_space(reference: str) -> bool:
    """True for a name of a built-in space, or of a plugin of an installed package: no file beside."""
    if reference in builtin_names():
        return True
    if is_file(reference) or split_reference(reference)[1]:
        return False
    points = [point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name == reference]
    folders = [point.dist and Path(str(point.dist.locate_file(""))) for point in points]
    return bool(folders) and all(folder is not None and is_installed(folder) for folder in folders)


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
    from tuner.data_options import MAX_SIZE, MIN_SIZE

    target, _ = split_reference(reference)
    for line in read_tree(Path(target) if is_file(target) else Path(_builtin_paths()[0], f"{target}.py")):
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
    return Path(target).stem if is_file(target) else target.rpartition(".")[2]


def resolve(reference: str, contents: bytes | None = None) -> Resolved:
    """Import a space: a function, a class with `build`, or an instance of one.

    Args:
        contents: Those of the file, which may be missing on this machine.

    Raises:
        SpaceError: no such name, module, file or function, or the file does more than define a space.
    """
    target, attribute = split_reference(reference)
    if is_file(target):
        path = Path(target) if contents is not None else _existing(Path(target))
        module, notes = import_file(path, attribute, contents)
    elif attribute:
        add_working_folder()
        module, notes = import_module(target, attribute, reference)
    elif plugin := _named(target):
        module, notes = import_module(plugin.module, plugin.attr, reference)
        attribute = plugin.attr
    else:
        module, notes = importlib.import_module(f"{BUILTIN_PACKAGE}.{target}"), ()
    unused = tuple(
        f"{name} is not used, because the search has its own tuner. Move its code into fit of a HyperModel."
        for name in unused_tuners(module)
    )
    return Resolved(space_of(module, attribute, reference), module, (*notes, *unused))


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
    for suffix in SUFFIXES:
        if Path(f"{name}{suffix}").is_file():
            raise SpaceError(f"unknown search space '{name}'. Did you mean the file '{name}{suffix}'?")
    raise SpaceError(unknown("search space", name, [*builtin_names(), *plugins]))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise SpaceError(
            f"no file '{path}' for the search space. Give a Python file or a notebook with build(hp) or "
            "build(hp, spec)."
        )
    return path


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest and all known names."""
    known = sorted(known)
    return f"unknown {what} '{name}'.{did_you_mean(name, known)} Known: {', '.join(known) or 'none'}."
