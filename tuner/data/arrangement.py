"""The class, the split and the group of each image of a tree of files."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tuner.data.contents import Contents, File
from tuner.data.file_kinds import IMAGE_SUFFIXES
from tuner.data.layout import place_folders
from tuner.data.listing import NO_GROUP, NO_SPLIT, Listing, SkippedImage, Source
from tuner.data.nested_copies import without_nested_copies
from tuner.data.passed_over import named_in_refusals, unused_notes
from tuner.data_options import NO_WISHES, SPLITS, DataOptions
from tuner.errors import DataError


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


class TreeSource(Source):
    """A source of files in folders."""

    @abstractmethod
    def contents(self) -> Contents:
        """Return all files.

        Raises:
            DataError: the source cannot be read, or is unsafe.
        """

    def listing(self, options: DataOptions = NO_WISHES) -> Listing:
        contents = self.contents().without(options.exclude)
        notes = (*contents.notes, *unused_notes(contents))
        with named_in_refusals(notes):
            return arrange(replace(contents, notes=notes), self.location, options)


def arrange(contents: Contents, location: str, options: DataOptions) -> Listing:
    """Sort image files by path and find the class, the split and the group of each.

    Raises:
        DataError: no images at all, or no labels for them. The message begins with `location`.
    """
    if not contents.images:
        raise DataError(
            f"{location}: no images in it. Image files end in {', '.join(sorted(IMAGE_SUFFIXES))}. "
            f"Give a folder, an archive or arrays with images in classes."
        )
    images = without_nested_copies(contents.images, contents.open_reader)
    found = _by_folders(replace(contents, images=images), location, options)
    kept, notes = _without_small_classes(found.images, options.min_class_images)
    return _listing(kept, contents, found.skipped, (*contents.notes, *found.notes, *notes))


def _by_folders(contents: Contents, location: str, options: DataOptions) -> Labelling:
    folders = Counter(file.folder for file in contents.images)
    places, notes = place_folders(folders, location, options.split_of_folder)
    return Labelling(
        [LabelledFile(file, *places[file.folder]) for file in contents.images if file.folder in places],
        tuple(
            SkippedImage(file.path, "not in a class folder")
            for file in contents.images
            if file.folder not in places
        ),
        notes,
    )


def _without_small_classes(
    images: list[LabelledFile], least: int
) -> tuple[list[LabelledFile], tuple[str, ...]]:
    """Leave out the classes with fewer images than `least`."""
    counts = Counter(image.class_name for image in images)
    small = {name for name, count in counts.items() if count < least}
    if not small:
        return images, ()
    shown = ", ".join(f"{name} ({counts[name]:,})" for name in sorted(small)[:5])
    more = f" and {len(small) - 5:,} more" if len(small) > 5 else ""
    note = f"classes with fewer than {least:,} images left out: {shown}{more}"
    return [image for image in images if image.class_name not in small], (note,)


def _listing(
    images: list[LabelledFile],
    contents: Contents,
    skipped: tuple[SkippedImage, ...],
    notes: tuple[str, ...],
) -> Listing:
    images = sorted(images, key=lambda image: image.file.path)
    class_names = sorted({image.class_name for image in images})
    group_names = sorted({image.group for image in images if image.group is not None})
    return Listing(
        class_names=tuple(class_names),
        paths=[image.file.path for image in images],
        labels=_indices([image.class_name for image in images], class_names),
        splits=np.array(
            [SPLITS.index(image.split) if image.split else NO_SPLIT for image in images], np.int8
        ),
        file_sizes=np.array([image.file.size for image in images], np.int64),
        handles=[image.file.handle for image in images],
        open_reader=contents.open_reader,
        unplaced=skipped,
        group_names=tuple(group_names),
        groups=_indices([image.group for image in images], group_names),
        notes=notes,
    )


def _indices(
    values: Sequence[str | None], names: Sequence[str], none: int = NO_GROUP
) -> npt.NDArray[np.int32]:
    """Return the place of each value among the names, `none` for None."""
    place = {name: index for index, name in enumerate(names)}
    return np.array([none if value is None else place[value] for value in values], np.int32)
