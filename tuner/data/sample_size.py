"""Sentences on splits with few images and on classes of uneven size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tuner.data.splits import VALIDATION_FRACTION
from tuner.units import counted

Counts = Mapping[str, int]

LARGEST_STEP = 2
"""Percentage points that one image may move a figure by before the split is called small."""
FEWEST_OF_CLASS = 10
"""Test images of a class that give its recall a meaning; its 95 % interval is up to 53 points wide."""
UNEVEN = 4
"""Times the images of the smallest class that the largest may have."""

_SHOWN = 3


def sample_notes(counts: Mapping[str, Counts], weighted: bool = False) -> tuple[str, ...]:
    """Return a sentence on each weakness of the splits that makes figures say little; empty where none has.

    Args:
        counts: Images of each class in each split, as `Dataset.counts` returns them.
        weighted: Whether the user asks for class weights.

    Source of UNEVEN: Google, Machine Learning Crash Course, Imbalanced datasets: 20 % of two classes is
    where a mild imbalance ends.
    """
    return (*_few_scored(counts), *_few_tested(counts), *_uneven(counts, weighted))


def _few_scored(counts: Mapping[str, Counts]) -> Iterator[str]:
    # Without a validation split there are no scores.
    number = sum(counts.get("validation", {}).values())
    if not 0 < number < 100 / LARGEST_STEP:
        return
    text = f"{_steps(number, 'validation image', 'scores move')}, and a lead of few steps is chance. "
    # Of a carved split, train is at most four times as large but for rounding.
    if sum(counts["train"].values()) > 8 * number:
        text += (
            f"Leave them out with --exclude FOLDER, and {VALIDATION_FRACTION:.0%} of train takes their place"
        )
    else:
        text += "Add images, or choose the shares with folders named train, validation and test"
    yield f"{text}."


def _few_tested(counts: Mapping[str, Counts]) -> Iterator[str]:
    test = counts["test"]
    number, few = sum(test.values()), {name: n for name, n in test.items() if n < FEWEST_OF_CLASS}
    if few:
        (first, least), *others = sorted(few.items(), key=lambda each: each[1])
        parts = [f"{counted(least, 'test image')} of class '{first}'"]
        parts += [f"{n:,} of '{name}'" for name, n in others[: _SHOWN - 1]]
        if more := len(others[_SHOWN - 1 :]):
            parts.append(f"fewer than {FEWEST_OF_CLASS} of {more:,} more")
        yield f"{', '.join(parts)}: the recall of so few images says little. Add test images of such a class."
    elif number < 100 / LARGEST_STEP:
        yield f"{_steps(number, 'test image', 'test figures move')}. Add test images."


def _steps(number: int, noun: str, moving: str) -> str:
    return f"{counted(number, noun)}: {moving} in steps of {100 / number:.3g} points"


def _uneven(counts: Mapping[str, Counts], weighted: bool) -> Iterator[str]:
    train, validation = counts["train"], counts.get("validation", {})
    smallest, largest = min(train, key=train.__getitem__), max(train, key=train.__getitem__)
    if train[smallest] * UNEVEN >= train[largest]:
        return
    # Whole numbers first, as they are those that the user knows.
    few, many = (sum(split[name] for split in counts.values()) for name in (smallest, largest))
    text = f"Uneven classes: {counted(few, 'image')} of '{smallest}' against {many:,} of '{largest}' "
    text += f"({train[smallest]:,} and {train[largest]:,} in train)"
    if len(train) > 2:
        small = sum(number * UNEVEN < train[largest] for number in train.values())
        text += f", and {small:,} of {len(train):,} classes below a quarter of that"
    if total := sum(validation.values()):
        most = max(validation, key=validation.__getitem__)
        share = f"{validation[most] / total:.1%} of the validation images"
        text += f"; the answer '{most}' for every image is right on {share}"
    yield f"{text}." if weighted else f"{text}. Let all classes count alike: --class-weights auto."
