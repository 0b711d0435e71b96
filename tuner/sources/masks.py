"""Masks of segmentation that lie beside images: they are no images of a class."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tuner.sources.contents import File
from tuner.units import counted

_WORDS = "mask|masks|seg|segmentation|segmentations|segmented|annotation|annotations|gt|groundtruth"
_MASK_NAME = re.compile(rf"^(?P<image>.+?)[ _.-]+(?:{_WORDS})(?:[ _.-]?\d+)?$", re.IGNORECASE)
_MASK_FOLDERS = frozenset((*_WORDS.split("|"), "labels", "trimaps"))
_IMAGE_FOLDERS = frozenset(
    ("image", "images", "img", "imgs", "photo", "photos", "original", "rgb", "jpegimages")
)


def without_masks(files: Iterable[File]) -> tuple[list[File], tuple[str, ...]]:
    """Leave out masks, and return the images and a sentence for the user.

    A mask is called like an image of the same folder with a word such as `_mask` after it, or lies in a
    folder such as `masks` beside a folder such as `images` with the same names. Beside `faces`, `masks` is a
    class.
    """
    files = list(files)
    stems: dict[str, set[str]] = {}
    for file in files:
        stems.setdefault(file.folder, set()).add(file.stem)
    of_images = [folder for folder in stems if _last(folder) in _IMAGE_FOLDERS]
    mask_folders = {
        folder
        for folder, own in stems.items()
        if not _MASK_FOLDERS.isdisjoint(folder.lower().split("/"))
        and any(_is_beside(folder, other) and _alike(own, stems[other]) for other in of_images)
    }
    masks = [file for file in files if file.folder in mask_folders or _is_mask(file, stems[file.folder])]
    if not masks:
        return files, ()
    left_out = {file.path for file in masks}
    note = f"{counted(len(masks), 'mask')} beside the images left out, such as {masks[0].path}"
    return [file for file in files if file.path not in left_out], (note,)


def _is_mask(file: File, beside: set[str]) -> bool:
    """Tell a mask by the stems of the files in its folder."""
    found = _MASK_NAME.match(file.stem)
    return found is not None and found["image"] in beside


def _is_beside(folder: str, other: str) -> bool:
    """Tell whether a folder lies in the folder that holds another one."""
    parent = other.rpartition("/")[0]
    return folder != other and f"{folder}/".startswith(f"{parent}/" if parent else "")


def _last(folder: str) -> str:
    return folder.rpartition("/")[2].lower()


def _alike(masks: set[str], images: set[str]) -> bool:
    """Tell whether most masks are named like an image."""
    plain = {found["image"] if (found := _MASK_NAME.match(name)) else name for name in masks}
    return 2 * len(plain & images) > len(plain)
