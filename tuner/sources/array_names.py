"""The meaning of arrays by their names: x_train, train_labels, X, y, arr_0, class_names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from itertools import product
from typing import NamedTuple

from tuner.data_options import SPLITS
from tuner.errors import DataError
from tuner.path_names import printable
from tuner.sources.listing import NO_SPLIT
from tuner.sources.split_names import SPLIT_WORDS
from tuner.units import listed

# Images and labels that belong together by their names; the first pair counts where a file holds several.
_PAIRS = (
    *(("x", "y"), ("images", "labels"), ("image", "label"), ("imgs", "labels"), ("img", "label")),
    *(("data", "target"), ("data", "targets"), ("data", "labels"), ("data", "label"), ("arr0", "arr1")),
    *(("features", "labels"), ("inputs", "targets"), ("pixels", "labels"), ("samples", "labels")),
)
# Mixed pairs count after those above, in this order.
_IMAGES = tuple(dict.fromkeys(images for images, _ in _PAIRS))
_LABELS = (*dict.fromkeys(labels for _, labels in _PAIRS), "class", "classes", "category", "categories")
_CLASS_NAMES = ("classnames", "labelnames", "targetnames", "classes", "categories", "names")
_LONGEST_FIRST = sorted(SPLIT_WORDS, key=len, reverse=True)
_TRAIN = SPLITS.index("train")
_ALLOWED = (
    "Allowed: x_train, y_train, x_test, y_test and optionally x_val, y_val; or X, y; images, labels; data, "
    "target; arr_0, arr_1; in any capitals, each optionally with class_names"
)


class Meaning(NamedTuple):
    """The meaning of one name."""

    split: int
    """Index into SPLITS, or NO_SPLIT."""
    word: str
    """The name in lower case, without the word of its split and without signs."""

    @property
    def is_images(self) -> bool:
        return self.word in _IMAGES

    @property
    def is_labels(self) -> bool:
        return self.word in _LABELS


class Pair(NamedTuple):
    """The names of images and of their labels."""

    split: int
    images: str
    labels: str


class Choice(NamedTuple):
    """The arrays that make a data set."""

    pairs: tuple[Pair, ...]
    class_names: str | None
    notes: tuple[str, ...]
    """Sentences for the user on the other arrays."""


def meaning(name: str) -> Meaning:
    """Return the split and the word of a name: train and "x" of `X_train`, `xtrain` or `train_set_x`."""
    whole = re.sub("[^a-z0-9]", "", name.lower())
    for word in _LONGEST_FIRST:
        split = SPLITS.index(SPLIT_WORDS[word])
        for rest in (whole.removeprefix(word).removeprefix("set"), whole.removesuffix(word)):
            if len(rest) < len(whole) and rest in (*_IMAGES, *_LABELS):
                return Meaning(split, rest)
    return Meaning(NO_SPLIT, whole)


def choose(names: Collection[str], location: str) -> Choice:
    """Choose the images and labels of each split, or of the whole, and the class names.

    Where both are there, the splits count.

    Raises:
        DataError: there are no training images with labels. The message begins with `location`.
    """
    found = {split: pair for split in range(NO_SPLIT, len(SPLITS)) if (pair := _pair(names, split))}
    whole = found.pop(NO_SPLIT, None)
    notes = []
    if _TRAIN in found:
        pairs = [found[split] for split in sorted(found)]
    elif whole and found:
        pairs = [whole._replace(split=_TRAIN), *(found[split] for split in sorted(found))]
        beside = _shown([pair.images for pair in pairs[1:]])
        notes.append(f"{printable(whole.images)} is taken for the training images, as {beside} is beside it")
    elif whole:
        pairs = [whole]
    else:
        raise DataError(f"{location}: {_problem(names)}. {_ALLOWED}. Save the arrays with these names.")
    used = [name for pair in pairs for name in pair[1:]]
    rest = sorted(set(names) - set(used))
    class_names = min(
        (name for name in rest if meaning(name).word in _CLASS_NAMES),
        key=lambda name: _CLASS_NAMES.index(meaning(name).word),
        default=None,
    )
    unused = [name for name in rest if name != class_names]
    return Choice(tuple(pairs), class_names, (*notes, *_notes_on_unused(unused, used, location)))


def _notes_on_unused(unused: Sequence[str], used: Sequence[str], location: str) -> list[str]:
    splits = {NO_SPLIT, *(meaning(name).split for name in used)}
    unlabelled = [name for name in unused if meaning(name).is_images and meaning(name).split not in splits]
    others = [name for name in unused if name not in unlabelled]
    notes = []
    if unlabelled:
        command = f"tuner predict MODEL {shlex.quote(location)}"
        notes.append(f"{_shown(unlabelled)} left out, without labels: {command} predicts the classes")
    if others:
        notes.append(f"arrays not used: {_shown(others)} (used: {_shown(used)})")
    return notes


def _pair(names: Collection[str], split: int) -> Pair | None:
    """Return the images and labels of a split that fit each other best."""
    meanings = {name: meaning(name) for name in sorted(names) if meaning(name).split == split}
    images = [name for name in meanings if meanings[name].word in _IMAGES]
    labels = [name for name in meanings if meanings[name].word in _LABELS]

    def rank(pair: tuple[str, str]) -> tuple[int, int, int]:
        x, y = (meanings[name].word for name in pair)
        place = _PAIRS.index((x, y)) if (x, y) in _PAIRS else len(_PAIRS)
        return place, _IMAGES.index(x), _LABELS.index(y)

    best = min(product(images, labels), key=rank, default=None)
    return Pair(split, *best) if best else None


def _problem(names: Collection[str]) -> str:
    """Return what is missing, and the names that are there."""
    holds = f"it holds {_shown(sorted(names)) or 'nothing'}"
    for name in sorted(names, key=lambda name: (meaning(name).split != _TRAIN, name)):
        split, word = meaning(name)
        if split not in (_TRAIN, NO_SPLIT):
            continue
        partners = dict(reversed(_PAIRS)) | {labels: images for images, labels in reversed(_PAIRS)}
        if word in partners:
            kind = "labels" if word in _IMAGES else "images"
            wanted = "arr_1" if word == "arr0" else name.lower().replace(word, partners[word])
            return f"lacks {wanted}, the {kind} of {printable(name)}; {holds}"
    return f"has no training images and labels; {holds}"


def _shown(names: Sequence[str]) -> str:
    return listed([printable(name) for name in names])
