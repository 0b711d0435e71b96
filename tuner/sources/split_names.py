"""Splits by the names of folders: train, seg_train, mnist_png_testing, test1."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
# Each takes the place of the split that is lacking, the test first.
EITHER_WORDS = frozenset(("eval", "evaluation", "holdout", "heldout"))
UNLABELLED_WORDS = frozenset(("pred", "predict", "prediction", "unlabelled", "unlabeled", "submission"))

# `training_set`, `test-images`: these words beside that of a split have no meaning.
_NO_MEANING = frozenset(("set", "data", "dataset", "images", "image", "imgs", "folder", "split"))
_GLUED = re.compile("(train|test|val)(set|data|images)", re.IGNORECASE)
# A run of capitals before a capitalised word, a word, a run of capitals, a number: trainA -> train, A.
_TOKEN = re.compile("[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


class SplitName(NamedTuple):
    """The name of a folder that holds the word of a split."""

    split: str
    """"train", "validation", "test", "either" (of the last two) or "unlabelled"."""
    rest: tuple[str, ...]
    """The other words of the name in lower case, without those that have no meaning."""
    written: tuple[str, ...]
    """The same words as they are written."""


def split_name(folder: str) -> SplitName | None:
    """Return the split in the name of a folder; None where none of its words is one, or several are."""
    words = _TOKEN.findall(_GLUED.sub(r"\1_\2", folder))
    splits = [split for word in words if (split := _split_of_word(word.lower()))]
    if len(splits) != 1:
        return None
    written = tuple(
        word for word in words if not _split_of_word(word.lower()) and word.lower() not in _NO_MEANING
    )
    return SplitName(splits[0], tuple(word.lower() for word in written), written)


def split_of(folder: str) -> str | None:
    """Return the split that the name of a folder means, in any spelling; None for other names."""
    found = split_name(folder)
    return found.split if found and not found.rest and found.split in SPLIT_WORDS.values() else None


def named_splits(folders: Collection[str], wishes: Mapping[str, str]) -> dict[str, str]:
    """Return the split of each folder of one place that is a split by its name.

    A name with other words beside that of the split counts where another name differs from it in that word,
    or in numbers too: `seg_train` beside `seg_test`, `1_train` beside `2_test`. Of several such families the
    one with most folders counts.

    Args:
        folders: Names of folders that lie side by side.
        wishes: Split of folders by their names, from the user; they come first, and only they count then.
    """
    if wished := {folder: wishes[folder] for folder in folders if folder in wishes}:
        return wished
    families: dict[tuple[str, ...], dict[str, SplitName]] = {}
    for folder in sorted(folders):
        if found := split_name(folder):
            words = tuple(word for word in found.rest if not word.isdecimal())
            families.setdefault(words, {})[folder] = found
    alike = [
        {folder: found.split for folder, found in family.items()}
        for family in families.values()
        if len({found.split for found in family.values()}) > 1
        or not all(each.rest for each in family.values())
    ]
    return max(alike, key=len, default={})


def _split_of_word(word: str) -> str | None:
    if word in EITHER_WORDS:
        return "either"
    return "unlabelled" if word in UNLABELLED_WORDS else SPLIT_WORDS.get(word)
