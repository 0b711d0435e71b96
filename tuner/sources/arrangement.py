"""The class, the split and the group of each image of a tree of files."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tuner.data_options import NO_WISHES, SPLITS, DataOptions
from tuner.errors import DataError
from tuner.sources.contents import Contents
from tuner.sources.file_kinds import ARCHIVE_SUFFIXES, IMAGE_SUFFIXES
from tuner.sources.file_names import label_by_names, suggestion
from tuner.sources.label_columns import COLUMN_FIELDS
from tuner.sources.label_tables import (
    Tables,
    confirmed,
    label_by_tables,
    read_tables,
    tables_beside,
    with_rows,
)
from tuner.sources.labelling import LabelledFile, Labelling
from tuner.sources.layout import place_folders
from tuner.sources.listing import NO_GROUP, NO_SPLIT, Listing, Source
from tuner.sources.masks import without_masks
from tuner.sources.nested_copies import without_nested_copies
from tuner.sources.passed_over import named_in_refusals, unused_notes
from tuner.sources.split_names import split_name

# HAM10000_images_part_1, images_002.
_PART = re.compile(r"(part|batch|chunk|shard|images?|imgs?|folder|vol)[ _-]*\d+$", re.IGNORECASE)


class TreeSource(Source):
    """A source of files in folders."""

    @abstractmethod
    def contents(self) -> Contents:
        """Return all files.

        Raises:
            DataError: the source cannot be read, or is unsafe.
        """

    def listing(self, options: DataOptions = NO_WISHES) -> Listing:
        contents = self.contents()
        beside = tables_beside(self.path)
        contents = replace(contents, tables=[*contents.tables, *beside]).without(options.exclude)
        notes = (*contents.notes, *unused_notes(contents))
        with named_in_refusals(notes):
            return arrange(replace(contents, notes=notes), self.location, options)


def arrange(contents: Contents, location: str, options: DataOptions, by_table: bool = False) -> Listing:
    """Sort image files by path and find the class, the split and the group of each.

    Args:
        contents: All files.
        location: Of the source; the message of an error begins with it.
        options: Wishes of the user.
        by_table: Whether a table gives the labels in any case.

    Raises:
        DataError: no images at all, or no labels for them.
    """
    if not contents.images:
        raise DataError(
            f"{location}: no images in it. Image files end in {', '.join(sorted(IMAGE_SUFFIXES))}. "
            f"Give {_instead(contents)}."
        )
    images, copies = without_nested_copies(contents.images, contents.open_reader)
    images, masks = without_masks(images)
    contents = replace(contents, images=images, notes=(*contents.notes, *copies, *masks))
    label = _by_table if by_table else _labelling
    return finished(label(contents, location, options), contents, options)


def _instead(contents: Contents) -> str:
    """Return the words for a data set where a folder holds no images."""
    archives = {suffix for _, suffix in contents.passed_over} & ARCHIVE_SUFFIXES
    return (
        "an archive in it as the data set, or unpack all of them"
        if archives
        else "a folder, an archive or arrays with images in classes"
    )


def _labelling(contents: Contents, location: str, options: DataOptions) -> Labelling:
    """Find labels in one way: in file names or a table where the user says so, else in folders or a table.

    A table counts against folders where these are parts of one set of images.
    """
    if options.label_from is not None:
        return label_by_names(contents.images, options.label_from, location, options.split_of_folder)
    if any(getattr(options, field) for field in COLUMN_FIELDS):
        return _by_table(contents, location, options)
    tables = read_tables(contents, location, options)
    try:
        folders = _by_folders(contents, location, options)
    except DataError as error:
        if tables.have_labels:
            return label_by_tables(tables, contents.images, location, options)
        remarks = filter(None, _remarks(tables, contents))
        raise DataError(" ".join((str(error), *remarks))) from None
    names = {image.class_name for image in folders.images}
    if _are_parts(names):
        if tables.have_labels:
            return label_by_tables(tables, contents.images, location, options)
        if tables.refusal:
            raise DataError(f"{location}: {tables.refusal}")
        if (pattern := suggestion(contents.images)) and len(names) > 1:
            raise DataError(
                f"{location}: the folders {', '.join(sorted(names)[:5])} are parts of one set of images, no "
                f"classes. {pattern}"
            )
        if pattern:
            folders = folders._replace(notes=(*folders.notes, pattern.rstrip(".")))
    return confirmed(folders, tables, location)


def _by_table(contents: Contents, location: str, options: DataOptions) -> Labelling:
    tables = read_tables(contents, location, options)
    if tables.have_labels:
        return label_by_tables(tables, contents.images, location, options)
    if tables.refusal:
        raise DataError(f"{location}: {tables.refusal}")
    of_images = options.split_column or options.group_column
    if tables.used and of_images and options.label_column is None:
        return with_rows(_by_folders(contents, location, options), tables, options)
    reasons = "; ".join(tables.notes()) or "there is no table of labels among the images"
    raise DataError(
        f"{location}: {reasons}. A table of labels is a .csv, .tsv, .json, .jsonl or .parquet with a column "
        f"of image files and one of classes. Name them with --path-column and --label-column."
    )


def _remarks(tables: Tables, contents: Contents) -> Iterator[str]:
    """Yield sentences on ways to give labels that folders do not give."""
    if tables.refusal:
        yield str(tables.refusal)
    else:
        yield from (f"{note}." for note in tables.notes())
        yield suggestion(contents.images)


def _are_parts(folders: Collection[str]) -> bool:
    """Tell folders that may be parts of one set of images: a single one, numbered ones, or splits."""
    return len(folders) == 1 or all(_PART.search(folder) or split_name(folder) for folder in folders)


def _by_folders(contents: Contents, location: str, options: DataOptions) -> Labelling:
    """Label images by their folders; those outside of the classes are left out with a note."""
    folders = Counter(file.folder for file in contents.images)
    places, notes = place_folders(folders, location, options.split_of_folder)
    placed = [LabelledFile(file, *places[file.folder]) for file in contents.images if file.folder in places]
    return Labelling(placed, (), notes)


def finished(found: Labelling, contents: Contents, options: DataOptions) -> Listing:
    """Return labelled images as a listing in the order of their paths, without classes that are too small."""
    images = sorted(found.images, key=lambda image: image.file.path)
    class_names = sorted({image.class_name for image in images})
    group_names = sorted({image.group for image in images if image.group is not None})
    listing = Listing(
        class_names=tuple(class_names),
        paths=[image.file.path for image in images],
        labels=_indices([image.class_name for image in images], class_names),
        splits=np.array(
            [SPLITS.index(image.split) if image.split else NO_SPLIT for image in images], np.int8
        ),
        file_sizes=np.array([image.file.size for image in images], np.int64),
        handles=[image.file.handle for image in images],
        open_reader=contents.open_reader,
        unplaced=found.skipped,
        group_names=tuple(group_names),
        groups=_indices([image.group for image in images], group_names),
        groups_stay_together=found.groups_stay_together,
        notes=(*contents.notes, *found.notes),
    )
    return listing.without_small_classes(options.min_class_images)


def _indices(
    values: Sequence[str | None], names: Sequence[str], none: int = NO_GROUP
) -> npt.NDArray[np.int32]:
    """Return the place of each value among the names, `none` for None."""
    place = {name: index for index, name in enumerate(names)}
    return np.array([none if value is None else place[value] for value in values], np.int32)
