"""Labels in the names of image files: cat.12.jpg, fake_0001.png."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from tuner.errors import DataError
from tuner.sources.contents import File
from tuner.sources.labelling import (
    LabelledFile,
    Labelling,
    is_in_test,
    split_of_path,
    unlabelled_notes,
    with_whole_splits,
)

_MAX_SUGGESTED = 100
# Letters before the first digit, point, space or dash; or after the last one: 0001_fake.png.
_PREFIX = re.compile(r"^([^\W\d_]+(?:[_-][^\W\d_]+)*)(?=[\W\d_])")
_ENDING = re.compile(r"(?<=[\d_ .-])([^\W\d_]+)$")


def label_by_names(
    files: Sequence[File], pattern: str, location: str, wishes: Mapping[str, str]
) -> Labelling:
    """Label images by the first group of a regular expression, searched for in the names of files.

    A pattern with a `/` in it is searched for in paths, relative to the source.

    Args:
        files: Images.
        pattern: The regular expression.
        location: Of the source; the message of an error begins with it.
        wishes: Split of folders by their names, from the user.

    Raises:
        DataError: it fits no name.
    """
    find = re.compile(pattern).search
    images, others = [], []
    for file in files:
        found = find(file.path if "/" in pattern else file.name)
        if found and found[1]:
            images.append(LabelledFile(file, found[1], split_of_path(file.path, wishes)))
        else:
            others.append(file)
    if not images:
        raise DataError(
            f"{location}: --label-from '{pattern}' fits none of its {len(files):,} file names, for one "
            f"'{files[0].name}'. Its first group must hold the class. {suggestion(files)}".rstrip()
        )
    images, notes = with_whole_splits(images)
    left_out = unlabelled_notes(others, "whose names do not fit --label-from", wishes)
    return Labelling(images, (), (*notes, *left_out))


def suggestion(files: Sequence[File]) -> str:
    """Return a sentence with the pattern that fits all names, "" where there is none.

    Plain numbers and names in a test folder do not count: they hold no classes.
    """
    names = [file.stem for file in files if not is_in_test(file, {})]
    stems = [name for name in names if not name.isdecimal()]
    for find, form in ((_PREFIX, "^({})"), (_ENDING, r"({})\.")):
        labels = Counter(found[1] for stem in stems if (found := find.search(stem)))
        is_whole = labels.total() == len(stems)
        if is_whole and 2 <= len(labels) <= _MAX_SUGGESTED and min(labels.values()) > 1:
            pattern = form.format("|".join(sorted(labels, key=lambda label: (-len(label), label))))
            return f"Where the file names hold the classes, give --label-from '{pattern}'."
    return ""
