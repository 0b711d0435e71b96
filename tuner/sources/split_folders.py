"""Folders that are splits: beside each other, inside classes, or with the class in their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from tuner.data_options import SPLITS
from tuner.errors import DataError
from tuner.sources.folder_tree import ALLOWED, Folder
from tuner.sources.split_names import SPLIT_WORDS, named_splits, split_name
from tuner.units import counted


class Place(NamedTuple):
    """The class, the split and the group of a folder."""

    class_name: str
    split: str | None = None
    """None where the source has no splits."""
    group: str | None = None
    """A kind of images within the classes, such as their generator; None where there are no groups."""


Places = dict[str, Place]


class Reading(NamedTuple):
    """What holds for all folders of one source."""

    location: str
    wishes: Mapping[str, str]
    """Splits of folders, from the user."""
    notes: list[str]
    """Sentences for the user, added as the folders are read."""
    left_out: list[str]
    """Paths of folders of which a sentence says that they are left out."""


def split_folders(top: Folder, reading: Reading) -> dict[str, str]:
    """Return split -> folder name, empty where the folders are classes.

    `train` counts as a split when it has folders itself, when another split lies beside it, or when nothing
    else does: beside `car` and `boat` it is a class.
    """
    found = named_splits(top.folders, reading.wishes)
    others = [name for name in top.folders if name not in found]
    if not found or len(top.folders) == 1 or not set(found.values()) & {*SPLITS, "either"}:
        return {}
    train = [name for name, split in found.items() if split == "train"]
    has_classes = any(top.folders[name].folders for name in train)
    if others and not (has_classes or reading.wishes) and (not train or set(found.values()) == {"train"}):
        return {}
    if not train:
        raise DataError(
            f"{reading.location}: has {quoted(found)} but no 'train'. {ALLOWED}. "
            f"Add 'train', name it with --splits train=FOLDER, or give one of its folders as the data set."
        )
    classes = top.folders[train[0]].unwrapped().folders
    splits: dict[str, str] = {}
    for name in sorted(found, key=lambda name: found[name] in ("either", "unlabelled")):
        folder = top.folders[name]
        split = _settled(name, splits, reading) if found[name] == "either" else found[name]
        if split != "train" and has_classes and not _is_labelled(folder, classes):
            _leave_out_unlabelled(folder, reading)
        elif split in splits:
            raise DataError(
                f"{reading.location}: '{splits[split]}' and '{name}' both stand for the {split} split. "
                f"Allowed is one folder for each split. Merge them, or name the right one with --splits."
            )
        elif split in SPLITS:
            splits[split] = name
        else:
            others.append(name)
    for name in others:
        _leave_out(top.folders[name], classes, splits, reading)
    return splits


def _settled(name: str, splits: Mapping[str, str], reading: Reading) -> str:
    """Return the split that a folder such as `eval` is, where `splits` are known: the one that is lacking."""
    lacking = [each for each in ("test", "validation") if each not in splits]
    if not lacking:
        raise DataError(
            f"{reading.location}: '{name}' lies beside a validation and a test split. "
            f"Allowed is one folder for each split. Leave one out with --exclude, or name them with --splits."
        )
    reading.notes.append(f"{name}/ is taken as the {lacking[0]} split; --splits says otherwise")
    return lacking[0]


def _leave_out(other: Folder, classes: Collection[str], splits: Mapping[str, str], reading: Reading) -> None:
    """Leave out a folder beside the splits that holds no classes; refuse one that does."""
    if _is_labelled(other, classes):
        beside = quoted(splits.values())
        raise DataError(
            f"{reading.location}: '{other.name}' beside the splits {beside} is no split. "
            f"Known: {', '.join(SPLIT_WORDS)}. Say which it is with --splits test={other.name}, or leave "
            f"it out with --exclude {other.name}."
        )
    _leave_out_unlabelled(other, reading)


def _is_labelled(folder: Folder, classes: Collection[str]) -> bool:
    """Tell whether a folder holds class folders, where the training split has these classes."""
    inner = folder.unwrapped().folders
    known = {name.casefold() for name in classes}
    return len(inner) > 1 or any(name.casefold() in known for name in inner)


def _leave_out_unlabelled(folder: Folder, reading: Reading) -> None:
    found = counted(folder.total, "image")
    reading.notes.append(f"{folder.path}/ left out: {found} without labels; tuner predict takes them")
    reading.left_out.append(folder.path)


def are_splits(folder: Folder, wishes: Mapping[str, str]) -> bool:
    found = named_splits(folder.folders, wishes)
    return "train" in found.values() and found.keys() == folder.folders.keys()


def split_and_class_names(top: Folder) -> Places:
    """Return the places where folders without folders have both in their names: trainA, trainB, testA."""
    names = {name: split_name(name) for name in top.folders}
    found = {name: each for name, each in names.items() if each and each.split in SPLITS and each.rest}
    splits = {each.split for each in found.values()}
    if len(found) < len(names) or len(splits) < 2 or any(folder.folders for folder in top.folders.values()):
        return {}
    classes = {each.rest for each in found.values()}
    has_train = {each.rest for each in found.values() if each.split == "train"} == classes
    are_numbers = all(word.isdecimal() for rest in classes for word in rest)
    if len(classes) < 2 or not has_train or are_numbers:
        return {}
    return {top.folders[name].path: Place(" ".join(each.written), each.split) for name, each in found.items()}


def quoted(names: Collection[str]) -> str:
    """Quote up to five names for a message."""
    shown = sorted(names)[:5]
    more = len(names) - len(shown)
    return ", ".join(f"'{name}'" for name in shown) + (f" and {more} more" if more else "")
