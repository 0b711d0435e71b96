"""Image files with their classes, splits and groups, found in folders, a table or file names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tuner.data.contents import File
from tuner.data.listing import SkippedImage
from tuner.data.split_names import split_of
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
    folders = path.split("/")[:-1]
    found = [wishes.get(folder) or split_of(folder) for folder in folders]
    return next((split for split in found if split), None)


def with_whole_splits(images: list[LabelledFile]) -> tuple[list[LabelledFile], tuple[str, ...]]:
    """Take splits away that have no train among them, with a note; a split is useless without it."""
    found = {image.split for image in images if image.split}
    if not found or "train" in found:
        return images, ()
    note = f"no image is in train: the splits {', '.join(sorted(found))} of the source are not used"
    return [image._replace(split=None) for image in images], (note,)


def unlabelled_notes(files: Sequence[File], why: str, wishes: Mapping[str, str]) -> Iterable[str]:
    """Yield a sentence on the images of each unlabelled test folder, and one on other images left out."""
    of_test = [file for file in files if split_of_path(file.path, wishes) == "test"]
    for folder, count in sorted(Counter(file.folder for file in of_test).items()):
        yield (
            f"{counted(count, 'image')} in {folder} {why} left out; "
            f"tuner predict gives the classes of the folder {folder}"
        )
    rest = [file for file in files if split_of_path(file.path, wishes) != "test"]
    if rest:
        yield f"{counted(len(rest), 'image')} {why} left out, such as {rest[0].path}"
