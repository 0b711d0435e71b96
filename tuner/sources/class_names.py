"""The meaning of class names: the generated of two classes, the positive one, names that are one class."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

POSITIVE_WORDS = frozenset({"fake", "ai", "generated", "synthetic"})
_GENERATED_WORDS = POSITIVE_WORDS | {
    *("deepfake", "spoof", "spoofed", "forged", "forgery", "artificial", "synthesized", "synthesised"),
    *("aigc", "gan", "diffusion"),
}
_PHOTOGRAPHED_WORDS = frozenset(
    ("real", "nature", "natural", "photo", "photograph", "authentic", "human", "genuine", "original", "live")
)
_NEGATIONS = frozenset(("no", "non", "not"))

# A run of capitals before a capitalised word, a word, a run of capitals: AIGenerated -> AI, Generated.
_WORD = re.compile("[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")


def generated_class(class_names: Collection[str]) -> str | None:
    """Return the class of generated images: the only one of two with a positive word in its name, or None."""
    named = [name for name in class_names if POSITIVE_WORDS & {word.lower() for word in _WORD.findall(name)}]
    return named[0] if len(class_names) == 2 and len(named) == 1 else None


def is_generated(class_name: str) -> bool | None:
    """Tell a class of generated images from one of photographs by its words; None where they do not tell.

    `1_fake`, `Deepfakes` and `not_real` are generated, `0_real`, `nature` and `non-AI` are not.
    """
    words = {word.lower() for word in _WORD.findall(class_name)}
    words |= {word.removesuffix("s") for word in words}
    generated, photographed = bool(words & _GENERATED_WORDS), bool(words & _PHOTOGRAPHED_WORDS)
    return None if generated == photographed else generated != bool(words & _NEGATIONS)


def positive_class(class_names: Sequence[str]) -> str | None:
    """Return the positive class: of two the one of generated images, else the second; of more, None."""
    return (generated_class(class_names) or class_names[1]) if len(class_names) == 2 else None


def spellings(named: Iterable[tuple[str | None, str]]) -> dict[str, str]:
    """Return the name of the class that each spelling stands for.

    Spellings that differ in Unicode normalisation alone are one class, and so are those that differ in
    letter case between splits, where no split has both. The spelling of the first pair stays.

    Args:
        named: Split and class name of each folder, those of the training split first.
    """
    of_class: dict[str, dict[str, set[str | None]]] = defaultdict(lambda: defaultdict(set))
    first: dict[str, str] = {}
    for split, name in named:
        normal = unicodedata.normalize("NFC", name)
        first.setdefault(normal, name)
        of_class[normal.casefold()][normal].add(split)
    found = {}
    for written in of_class.values():
        splits = [split for each in written.values() for split in each]
        one = len(set(splits)) == len(splits)
        kept = next(iter(written))
        for normal in written:
            found[normal] = first[kept if one else normal]
    return found
