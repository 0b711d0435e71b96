"""Image files with their classes, splits and groups, found in folders, a table or file names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from tuner.sources.contents import File
from tuner.sources.listing import SkippedImage
from tuner.sources.split_names import split_name, split_of
from tuner.units import counted


class LabelledFile(NamedTuple):
    """An image file with all that is known of it before it is decoded."""

    file: File
    class_name: str
    split: str | None = None
    group: str | None = None


class Labelling(NamedTuple):
    """The result of one way to find labels: in folders, a table or file names."""

    images: list[LabelledFile]
    skipped: tuple[SkippedImage, ...] = ()
    """Images without a label."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""
    groups_stay_together: bool = False
    """Whether all images of a group belong on one side of a split."""


def split_of_path(path: str, wishes: Mapping[str, str]) -> str | None:
    """Return the split of a file by the first of its folders that is one.

    Args:
        path: Of the file, with `/`.
        wishes: Split of folders by their names, from the user; they come first.
    """
    found = (wishes.get(folder) or _split_of(folder) for folder in path.split("/")[:-1])
    return next(filter(None, found), None)


# The same few folders hold all files.
_split_of = lru_cache(maxsize=1024)(split_of)


def with_whole_splits(images: list[LabelledFile]) -> tuple[list[LabelledFile], tuple[str, ...]]:
    """Take splits away that have no train among them, with a note; a split is useless without it."""
    found = {image.split for image in images if image.split}
    if not found or "train" in found:
        return images, ()
    note = f"no image is in train: the splits {', '.join(sorted(found))} of the source are not used"
    return [image._replace(split=None) for image in images], (note,)


def unlabelled_notes(files: Sequence[File], why: str, wishes: Mapping[str, str]) -> Iterable[str]:
    """Yield a sentence on the images of each unlabelled test folder, and one on other images left out."""
    of_test = [file for file in files if is_in_test(file, wishes)]
    for folder, count in sorted(Counter(file.folder for file in of_test).items()):
        yield (
            f"{counted(count, 'image')} in {folder} {why} left out; "
            f"tuner predict gives the classes of the folder {folder}"
        )
    if rest := [file for file in files if not is_in_test(file, wishes)]:
        yield f"{counted(len(rest), 'image')} {why} left out, such as {rest[0].path}"


def is_in_test(file: File, wishes: Mapping[str, str]) -> bool:
    """Tell a file in a folder such as test, test_data_v2 or to_predict."""
    if split := split_of_path(file.path, wishes):
        return split == "test"
    names = map(split_name, file.folder.split("/"))
    return any(name.split in ("test", "unlabelled") for name in names if name)
