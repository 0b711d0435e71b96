"""The split and the class of each image folder, from folder names alone, and the positive of two classes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from tuner.errors import DataError

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
POSITIVE_WORDS = frozenset({"fake", "ai", "generated", "synthetic"})
ALLOWED = "Allowed: images in <class> folders, or in train/<class> and test/<class> folders"

# `training_set`, `test-images`: the words after the name of a split have no meaning.
_SPLIT_SUFFIX = re.compile("([ _-]?(set|data|images))+$")
# A run of capitals before a capitalised word, a word, a run of capitals: AIGenerated -> AI, Generated.
_WORD = re.compile("[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")


class Place(NamedTuple):
    """The class, the split and the group of a folder."""

    class_name: str
    split: str | None = None
    """None where the source has no splits."""
    group: str | None = None
    """A kind of images within the classes, such as their generator; None where there are no groups."""


Tree = dict[str, "Tree"]
"""Folders that hold images, directly or further below: name -> folders in it."""


def place_folders(
    folders: Mapping[str, int], location: str, splits: Mapping[str, str]
) -> tuple[dict[str, Place], tuple[str, ...]]:
    """Return the place of each folder that lies in a class.

    `folders` are the folders that hold images directly, as paths with `/` relative to the source ("" is its
    top). Wrapper folders (a folder whose only content is one folder of folders) may lie above the splits,
    and again between a split and its classes. A folder above the classes has no place, and no entry.

    Raises:
        DataError: no classes, splits with different classes, or folders that make no sense
            together. The message begins with `location`.
    """
    del splits
    root: Tree = {}
    for folder in sorted(folders):  # so that messages are the same each time
        tree = root
        for part in folder.split("/") if folder else ():
            tree = tree.setdefault(part, {})
    prefix, top = _unwrap("", root)
    found = _split_folders(top, location)
    if not found:
        return _places(None, prefix, top, location), ()
    places: dict[str, Place] = {}
    classes: dict[str, set[str]] = {}
    for split, folder in found.items():
        inner_prefix, inner = _unwrap(_join(prefix, folder), top[folder])
        if not inner:
            raise DataError(
                f"{location}: the split '{folder}' holds no class folders. {ALLOWED}. "
                f"Put its images into one folder a class, or take '{folder}' away."
            )
        classes[split] = set(inner)
        places |= _places(split, inner_prefix, inner, location)
    _require_same_classes(classes, location)
    return places, ()


def generated_class(class_names: Collection[str]) -> str | None:
    """Return the class of generated images: the only one of two with a positive word in its name, or None."""
    named = [name for name in class_names if POSITIVE_WORDS & {word.lower() for word in _WORD.findall(name)}]
    return named[0] if len(class_names) == 2 and len(named) == 1 else None


def positive_class(class_names: Sequence[str]) -> str | None:
    """Return the positive class: of two the one of generated images, else the second; of more, None."""
    return (generated_class(class_names) or class_names[1]) if len(class_names) == 2 else None


def split_of(folder: str) -> str | None:
    """Return the split that a folder's name means, in any spelling; None for other names."""
    return SPLIT_FOLDERS.get(_SPLIT_SUFFIX.sub("", folder.lower()))


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _below(prefix: str, tree: Tree) -> Iterator[str]:
    """Yield the path of a folder, `prefix`, and of every folder below it."""
    yield prefix
    for name, child in tree.items():
        yield from _below(_join(prefix, name), child)


def _unwrap(prefix: str, tree: Tree) -> tuple[str, Tree]:
    """Go down while there is one folder only and it has folders of its own."""
    while len(tree) == 1:
        ((name, child),) = tree.items()
        if not child:
            break
        prefix, tree = _join(prefix, name), child
    return prefix, tree


def _split_folders(top: Tree, location: str) -> dict[str, str]:
    """Return split -> folder name, empty where the folders are classes.

    `train` counts as a split when it has folders itself, or when nothing but splits lies beside it: beside
    `car` and `boat` it is a class.
    """
    found = {name: split for name in top if (split := split_of(name))}
    others = sorted(set(top) - set(found))
    if not found or len(top) == 1:
        return {}
    train = [name for name, split in found.items() if split == "train"]
    if others and not any(top[name] for name in train):
        return {}
    if not train:
        raise DataError(
            f"{location}: has {_names(found)} but no 'train'. {ALLOWED}. "
            f"Add 'train', or give one of its folders as the data set."
        )
    if others:
        raise DataError(
            f"{location}: {_names(others)} beside the splits {_names(found)} is no split. "
            f"Allowed: {', '.join(SPLIT_FOLDERS)}. Move it out or rename it."
        )
    splits: dict[str, str] = {}
    for name, split in found.items():
        if split in splits:
            raise DataError(
                f"{location}: '{splits[split]}' and '{name}' both stand for the {split} split. "
                f"Allowed is one folder for each split. Merge them or take one away."
            )
        splits[split] = name
    return splits


def _places(split: str | None, prefix: str, classes: Tree, location: str) -> dict[str, Place]:
    where = f"{location}, {split}" if split else location
    if not classes:
        raise DataError(f"{where}: images lie in no class folder. {ALLOWED}. Make one folder for each class.")
    _require_no_data_set_inside(classes, where)
    return {
        folder: Place(name, split)
        for name in sorted(classes)
        for folder in _below(_join(prefix, name), classes[name])
    }


def _require_no_data_set_inside(classes: Tree, where: str) -> None:
    """Refuse classes that would be data sets themselves: with splits, or with real and generated images."""
    for name, child in classes.items():
        prefix, inner = _unwrap(name, child)
        splits = {split_of(folder) for folder in inner}
        if "train" in splits and splits & {"validation", "test"}:
            found = "splits"
        elif generated_class(inner) and not generated_class(classes):
            found = _names(inner)
        else:
            continue
        raise DataError(
            f"{where}: {found} lie inside '{prefix}', and '{name}' would be a class. {ALLOWED}. "
            f"Give '{prefix}' itself as the data set, or put the splits above the classes."
        )


def _require_same_classes(classes: dict[str, set[str]], location: str) -> None:
    everywhere = set().union(*classes.values())
    for split, names in classes.items():
        if missing := everywhere - names:
            having = [other for other in classes if missing & classes[other]]
            raise DataError(
                f"{location}: {_names(missing)} is a class in {', '.join(having)} but not in {split}. "
                f"Every split needs the same classes; {split} has {_names(names)}. "
                f"Rename, add or take away folders until they agree."
            )


def _names(names: Collection[str]) -> str:
    """Quote up to five names for a message."""
    shown = sorted(names)[:5]
    more = len(names) - len(shown)
    return ", ".join(f"'{name}'" for name in shown) + (f" and {more} more" if more else "")
