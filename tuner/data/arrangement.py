"""The class, the split and the group of each image of a tree of files."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tuner.data.contents import Contents
from tuner.data.file_kinds import IMAGE_SUFFIXES
from tuner.data.file_names import label_by_names, suggestion
from tuner.data.label_columns import COLUMN_FIELDS
from tuner.data.label_tables import Tables, confirmed, label_by_tables, read_tables, tables_beside, with_rows
from tuner.data.labelling import LabelledFile, Labelling
from tuner.data.layout import place_folders
from tuner.data.listing import NO_GROUP, NO_SPLIT, Listing, Reader, Source
from tuner.data.masks import without_masks
from tuner.data.nested_copies import without_nested_copies
from tuner.data.passed_over import named_in_refusals, unused_notes
from tuner.data_options import NO_WISHES, SPLITS, DataOptions
from tuner.errors import DataError
from tuner.option_fields import option_name

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
    found = _labelling(replace(contents, images=images), location, options)
    kept, notes = _without_small_classes(found.images, options.min_class_images)
    notes = (*contents.notes, *found.notes, *notes)
    return listing_of(found._replace(images=kept, notes=notes), contents.open_reader)


def _labelling(contents: Contents, location: str, options: DataOptions) -> Labelling:
    """Find labels in one way: in file names or a table where the user says so, else in folders or a table.

    A table counts against folders where these are parts of one set of images.
    """
    if options.label_from is not None:
        return label_by_names(contents.images, options.label_from, location, options.split_of_folder)
    tables = read_tables(contents, location, options)
    if any(getattr(options, field) for field in COLUMN_FIELDS):
        return _by_named_columns(tables, contents, location, options)
    try:
        folders = _by_folders(contents, location, options)
    except DataError as error:
        if tables.have_labels:
            return label_by_tables(tables, contents.images, location, options)
        raise DataError(" ".join((str(error), *_remarks(tables, contents)))) from None
    if _are_parts({image.class_name for image in folders.images}):
        if tables.have_labels:
            return label_by_tables(tables, contents.images, location, options)
        if len({image.class_name for image in folders.images}) == 1 and tables.refusal:
            raise DataError(f"{location}: {tables.refusal}")
    return confirmed(folders, tables, location)


def _by_named_columns(tables: Tables, contents: Contents, location: str, options: DataOptions) -> Labelling:
    if tables.have_labels:
        return label_by_tables(tables, contents.images, location, options)
    if tables.refusal:
        raise DataError(f"{location}: {tables.refusal}")
    if tables.used and options.label_column is None:
        return with_rows(_by_folders(contents, location, options), tables, options)
    named = " and ".join(option_name(field) for field in COLUMN_FIELDS if getattr(options, field))
    reasons = "; ".join(tables.notes()) or "there is no table of labels"
    raise DataError(
        f"{location}: {named} cannot be used: {reasons}. "
        f"Allowed: a .csv, .tsv, .json, .jsonl or .parquet among the images, or as the data set."
    )


def _remarks(tables: Tables, contents: Contents) -> Iterator[str]:
    """Yield sentences on ways to give labels that folders do not give."""
    if tables.refusal:
        yield str(tables.refusal)
    else:
        yield from (f"{note}." for note in tables.notes())
        yield suggestion(contents.images)


def _are_parts(folders: Collection[str]) -> bool:
    """Tell folders that may be parts of one set of images: a single one, or numbered ones."""
    return len(folders) == 1 or all(map(_PART.search, folders))


def _by_folders(contents: Contents, location: str, options: DataOptions) -> Labelling:
    """Label images by their folders; those outside of the classes are left out with a note."""
    images, masks = without_masks(contents.images)
    folders = Counter(file.folder for file in images)
    places, notes = place_folders(folders, location, options.split_of_folder)
    placed = [LabelledFile(file, *places[file.folder]) for file in images if file.folder in places]
    return Labelling(placed, (), (*masks, *notes))


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


def listing_of(found: Labelling, open_reader: Callable[[], AbstractContextManager[Reader]]) -> Listing:
    """Return labelled images as a listing, in the order of their paths."""
    images = sorted(found.images, key=lambda image: image.file.path)
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
        open_reader=open_reader,
        unplaced=found.skipped,
        group_names=tuple(group_names),
        groups=_indices([image.group for image in images], group_names),
        groups_stay_together=found.groups_stay_together,
        notes=found.notes,
    )


def _indices(
    values: Sequence[str | None], names: Sequence[str], none: int = NO_GROUP
) -> npt.NDArray[np.int32]:
    """Return the place of each value among the names, `none` for None."""
    place = {name: index for index, name in enumerate(names)}
    return np.array([none if value is None else place[value] for value in values], np.int32)
