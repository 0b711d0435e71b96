"""The split, the class and the group of each folder of images, from the names of the folders alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations

from tuner.data_options import SPLITS
from tuner.errors import DataError, did_you_mean
from tuner.sources.class_names import generated_class, spellings
from tuner.sources.folder_tree import ALLOWED, Folder, folder_tree
from tuner.sources.split_folders import (
    Place,
    Places,
    Reading,
    are_splits,
    quoted,
    split_and_class_names,
    split_folders,
)
from tuner.sources.split_names import named_splits
from tuner.units import counted

_STRAY_NAMES = {
    *("doc", "docs", "documentation", "screenshot", "screenshots", "figure", "figures", "asset", "assets"),
    *("paper", "papers", "readme", "sample", "samples", "example", "examples"),
}
_NO_CLASSES = {
    *("image", "images", "img", "imgs", "jpegimages", "annotation", "annotations", "labels", "masks"),
    *("trimaps", "segmentations"),
}
"""Folders of these names alone are parts of a data set for detection or segmentation, not classes."""
_STRAY_SHARE = 0.05
"""A folder with one of these names is a class all the same where it holds more of the images."""
_ALIKE = 0.8
"""Share of the names inside two folders that are in both, from which the folders are variants."""


def place_folders(
    folders: Mapping[str, int], location: str, splits: Mapping[str, str]
) -> tuple[Places, tuple[str, ...]]:
    """Return the place of each folder that lies in a class, and sentences for the user.

    Wrapper folders (a folder whose only content is one folder of folders) may lie above the splits, and
    again between a split and its classes. Splits may lie above the classes, inside them, or inside folders
    that hold the same two classes of real and of generated images each, which are then groups. A folder above
    the classes has no place, and no entry.

    Args:
        folders: Number of images directly in each folder, by its path with `/` relative to the source ("" is
            its top).
        location: Of the source; each message begins with it.
        splits: Split of folders by their names, from the user.

    Raises:
        DataError: no classes, splits with different classes, or folders that make no sense together.
    """
    reading = Reading(location, splits, [], [])
    _require_wished(folders, reading)
    top = _without_stray(folder_tree(folders)).unwrapped()
    found = {path: place for path, place in _places(top, reading).items() if folders.get(path)}
    _tell_of_others(folders, found, reading)
    places = _one_spelling(found, reading)
    return places, (*reading.notes, *_gathered(places))


def _tell_of_others(folders: Mapping[str, int], places: Places, reading: Reading) -> None:
    """Add a sentence on images that lie above the classes, or in folders of documents."""
    told = tuple(f"{path}/" for path in reading.left_out)
    for path, count in folders.items():
        if count and path not in places and not f"{path}/".startswith(told):
            where = path or "the top folder"
            reading.notes.append(f"{counted(count, 'image')} in {where} left out: not in a class")


def _require_wished(folders: Collection[str], reading: Reading) -> None:
    """Refuse a split of a folder that is not there."""
    names = {name for folder in folders for name in folder.split("/")}
    for wished in sorted(set(reading.wishes) - names):
        raise DataError(
            f"{reading.location}: no folder '{wished}', which --splits names.{did_you_mean(wished, names)} "
            f"Allowed: {quoted(names)}. Correct it."
        )


def _places(top: Folder, reading: Reading) -> Places:
    if both := split_and_class_names(top):
        return both
    if splits := split_folders(top, reading):
        return _in_splits(top, splits, reading)
    if inside := _splits_inside(top, reading):
        return inside
    return _in_classes(top, None, reading)


def _without_stray(top: Folder) -> Folder:
    """Leave out folders of documents with few of the images."""
    kept = {
        name: folder
        for name, folder in top.folders.items()
        if name.lower() not in _STRAY_NAMES or folder.total > _STRAY_SHARE * top.total
    }
    if len(kept) < 2 and len(kept) < len(top.folders) and not any(each.folders for each in kept.values()):
        return top
    return top.only(kept)


def _in_splits(top: Folder, splits: Mapping[str, str], reading: Reading) -> Places:
    places: Places = {}
    for split, name in splits.items():
        folder = top.folders[name].unwrapped()
        if not folder.folders:
            raise DataError(
                f"{reading.location}: the split '{name}' holds no class folders. {ALLOWED}. "
                f"Put its images into one folder a class, or take '{name}' away."
            )
        places |= _in_classes(folder, split, reading)
    return places


def _splits_inside(top: Folder, reading: Reading) -> Places:
    """Return the places where every folder holds splits: of a class, or of a group with both classes."""
    inner = {name: folder.unwrapped() for name, folder in top.folders.items()}
    if len(inner) < 2 or not all(are_splits(folder, reading.wishes) for folder in inner.values()):
        return {}
    if not any(split.folders for folder in inner.values() for split in folder.folders.values()):
        return {
            below.path: Place(name, found[split])
            for name, folder in inner.items()
            for found in [named_splits(folder.folders, reading.wishes)]
            for split, each in folder.folders.items()
            for below in each.all()
        }
    places: Places = {}
    classes = []
    for name, folder in inner.items():
        of_group = _in_splits(folder, split_folders(folder, reading), reading)
        classes.append({place.class_name for place in of_group.values()})
        places |= {path: place._replace(group=name) for path, place in of_group.items()}
    if len({frozenset(name.casefold() for name in each) for each in classes}) > 1 or not generated_class(
        classes[0]
    ):
        raise _variants(top.folders, classes[0], reading.location)
    return places


def _in_classes(folder: Folder, split: str | None, reading: Reading) -> Places:
    where = f"{reading.location}, {split}" if split else reading.location
    classes = folder.folders
    if not classes:
        raise DataError(f"{where}: images lie in no class folder. {ALLOWED}. Make one folder for each class.")
    if not generated_class(classes) and (pairs := list(_pairs(folder))):
        return {
            below.path: Place(name, split, group.path.removeprefix(folder.path).strip("/"))
            for group in pairs
            for name, each in group.folders.items()
            for below in each.all()
        }
    if len(classes) > 1 and all(name.lower() in _NO_CLASSES for name in classes):
        raise DataError(
            f"{where}: {quoted(classes)} are no names of classes. {ALLOWED}. "
            f"Make one folder for each class, or leave one out with --exclude."
        )
    if not generated_class(classes):  # real and generated images may show the same things
        _require_no_variants(classes, where)
    _require_no_data_set_inside(classes, where)
    grouped = any(len(each.folders) > 1 for each in classes.values())
    return {
        below.path: Place(name, split, _group(each, below) if grouped else None)
        for name, each in classes.items()
        for below in each.all()
    }


def _pairs(folder: Folder) -> Iterator[Folder]:
    """Yield the folders that hold real and generated images side by side, if every image lies in such a pair.

    Yields nothing where some image does not, or where the pairs have different names.
    """
    found = [each for each in folder.all() if generated_class(each.folders)]
    names = {frozenset(name.casefold() for name in each.folders) for each in found}
    if len(names) == 1 and sum(each.total for each in found) == folder.total:
        yield from found


def _group(class_folder: Folder, below: Folder) -> str | None:
    """Return the folder in a class's folder that a folder is, or lies in; None for the class's own."""
    inner = below.path.removeprefix(class_folder.path).lstrip("/")
    return inner.partition("/")[0] or None


def _require_no_variants(classes: Mapping[str, Folder], where: str) -> None:
    """Refuse folders that hold the same named folders: the same classes in several forms."""
    inner = {name: frozenset(folder.unwrapped().folders) for name, folder in classes.items()}
    for first, second in combinations(inner, 2):
        both, either = inner[first] & inner[second], inner[first] | inner[second]
        if _are_names(both) and len(both) >= _ALIKE * len(either):
            alike = {name: classes[name] for name in inner if len(inner[name] & both) >= _ALIKE * len(both)}
            raise _variants(alike, both, where)


def _are_names(folders: Collection[str]) -> bool:
    """Tell the names of classes from those of parts: years and numbered folders, unless numbered from 0."""
    numbers = [int(name) for name in folders if name.isdecimal()]
    return len(folders) > 1 and (len(numbers) < len(folders) or min(numbers) == 0)


def _variants(folders: Mapping[str, Folder], classes: Collection[str], where: str) -> DataError:
    paths = sorted(folder.path for folder in folders.values())
    return DataError(
        f"{where}: {quoted(paths)} hold the same folders {quoted(classes)}: variants of one data set, not "
        f"classes. {ALLOWED}. Give one of them as the data set, such as {paths[0]}. "
        f"If they are the classes, give --label-from '({'|'.join(map(re.escape, sorted(folders)))})/'."
    )


def _require_no_data_set_inside(classes: Mapping[str, Folder], where: str) -> None:
    """Refuse classes that would be data sets themselves: with splits, or with real and generated images."""
    for name, folder in classes.items():
        inner = folder.unwrapped()
        splits = set(named_splits(inner.folders, {}).values())
        if "train" in splits and splits & {"validation", "test"}:
            found = "splits"
        elif generated_class(inner.folders) and not generated_class(classes):
            found = quoted(inner.folders)
        else:
            continue
        raise DataError(
            f"{where}: {found} lie inside '{inner.path}', and '{name}' would be a class. {ALLOWED}. "
            f"Give '{inner.path}' itself as the data set, or put the splits above the classes."
        )


def _one_spelling(places: Places, reading: Reading) -> Places:
    """Join classes whose names differ between splits in letter case or normalisation, and compare splits."""
    order = {split: number for number, split in enumerate(SPLITS)}
    found = sorted(places.values(), key=lambda place: order.get(place.split or "", 0))
    names = spellings((place.split, place.class_name) for place in found)
    written = {place.class_name for place in found}
    if changed := sorted(name for name in written if names[_normal(name)] != name):
        reading.notes.append(f"{quoted(changed)}: the same classes as in train, in other letters")
    reading.notes.extend(_alike_names(set(names.values())))
    places = {
        path: place._replace(class_name=names[_normal(place.class_name)]) for path, place in places.items()
    }
    classes: dict[str, set[str]] = {}
    for place in places.values():
        if place.split:
            classes.setdefault(place.split, set()).add(place.class_name)
    _require_same_classes(classes, reading.location)
    return places


def _alike_names(classes: Collection[str]) -> Iterator[str]:
    """Yield a sentence on each group of classes whose names differ in letter case alone."""
    alike: dict[str, list[str]] = {}
    for name in sorted(classes):
        alike.setdefault(name.casefold(), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            yield f"{quoted(names)} are {len(names)} classes: they lie side by side"


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _require_same_classes(classes: Mapping[str, set[str]], location: str) -> None:
    everywhere = set().union(*classes.values())
    for split, names in classes.items():
        if missing := everywhere - names:
            having = [other for other in classes if missing & classes[other]]
            raise DataError(
                f"{location}: {quoted(missing)} is a class in {', '.join(having)} but not in {split}. "
                f"Every split needs the same classes; {split} has {quoted(names)}. "
                f"Rename or add folders until they agree, or leave a class out with --exclude."
            )


def _gathered(places: Places) -> Iterator[str]:
    """Yield a sentence on the number of folders of each class, and one on groups."""
    counts = Counter((place.split, place.class_name) for place in places.values())
    of_class: dict[str, int] = {}
    for (_, name), count in counts.items():
        of_class[name] = max(count, of_class.get(name, 0))
    each = " of each split" if any(split for split, _ in counts) else ""
    if max(of_class.values(), default=0) == 1:
        yield f"each class is gathered from 1 folder{each}"
    else:
        shown = ", ".join(f"{name} {count:,}" for name, count in sorted(of_class.items())[:5])
        more = f" and {len(of_class) - 5:,} more" if len(of_class) > 5 else ""
        yield f"number of folders{each} that each class is gathered from: {shown}{more}"
    if groups := {place.group for place in places.values() if place.group}:
        yield f"{len(groups):,} groups of images inside the classes: {quoted(groups)}"
