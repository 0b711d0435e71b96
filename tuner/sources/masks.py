"""Masks of segmentation that lie beside images: they are no images of a class."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tuner.sources.contents import File
from tuner.units import counted

_WORDS = "mask|masks|seg|segmentation|segmentations|segmented|annotation|annotations|gt|groundtruth"
_MASK_NAME = re.compile(rf"^(?P<image>.+?)[ _.-]+(?:{_WORDS})(?:[ _.-]?\d+)?$", re.IGNORECASE)
_MASK_FOLDERS = frozenset((*_WORDS.split("|"), "labels"))


def without_masks(files: Iterable[File]) -> tuple[list[File], tuple[str, ...]]:
    """Leave out masks, and return the images and a sentence for the user.

    A mask is called like an image of the same folder with a word such as `_mask` after it, or lies in a
    folder such as `masks` beside a folder of images with the same names.
    """
    files = list(files)
    stems = {_stem(file.path) for file in files}
    names: dict[str, set[str]] = {}
    for file in files:
        names.setdefault(file.folder, set()).add(_stem(file.name))
    beside: dict[str, set[str]] = {}
    for folder in names:
        beside.setdefault(folder.rpartition("/")[0], set()).add(folder)
    mask_folders = {
        folder
        for folder, own in names.items()
        if folder.rpartition("/")[2].lower() in _MASK_FOLDERS
        and any(_alike(own, names[other]) for other in beside[folder.rpartition("/")[0]] - {folder})
    }
    masks = [file for file in files if file.folder in mask_folders or _is_mask(file, stems)]
    if not masks:
        return files, ()
    left_out = {file.path for file in masks}
    note = f"{counted(len(masks), 'mask')} beside the images left out, such as {masks[0].path}"
    return [file for file in files if file.path not in left_out], (note,)


def _is_mask(file: File, stems: set[str]) -> bool:
    found = _MASK_NAME.match(_stem(file.name))
    return found is not None and f"{file.folder}/{found['image']}".lstrip("/") in stems


def _alike(masks: set[str], images: set[str]) -> bool:
    """Tell whether most masks are named like an image."""
    plain = {found["image"] if (found := _MASK_NAME.match(name)) else name for name in masks}
    return 2 * len(plain & images) > len(plain)


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)
