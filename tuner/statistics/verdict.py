"""The verdict on a model that has learnt next to nothing, whatever its accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

ADVICE = (
    "Try more images, another --space, or --class-weights auto where classes are uneven; tuner data show "
    "checks the images."
)
NEARLY_ALL = 0.95
"""Share of the images with one answer from which on a model may be giving no other."""
FEW_OTHERS = 0.1
"""Share of the images of all other classes that such a model tells from the class of its answer, at most."""


def verdict(evaluation: dict[str, Any]) -> str | None:
    """Return sentences on a result that is no success and what to try; None where there is nothing to say.

    They say so where the 95 % interval of the accuracy holds the share of the most frequent class or is
    below it, where one class is the answer for nearly all images, and where the AUROC of two classes is
    below 0.5. Images of a single class allow no verdict.

    Args:
        evaluation: Figures as in evaluation.json.
    """
    matrix = np.array(evaluation["confusion_matrix"])
    if np.count_nonzero(matrix.sum(axis=1)) < 2:
        return None
    found = [*_guessing(evaluation, matrix), *_one_answer(evaluation, matrix), *_wrong_order(evaluation)]
    return " ".join([*found, ADVICE]) if found else None


def _guessing(evaluation: dict[str, Any], matrix: np.ndarray) -> Iterator[str]:
    low, high = evaluation["accuracy_interval_95"]
    of_class = matrix.sum(axis=1)
    share = of_class.max() / of_class.sum()
    if low > share:
        return
    judged = "Worse than" if high < share else "No better than"
    # A perfect result on a handful of images is no failure, but no proof either.
    bound = f", as far as {evaluation['images']:,} images tell" if evaluation["accuracy"] > share else ""
    tied = np.count_nonzero(of_class == of_class.max()) > 1
    guess = "one class" if tied else f"the {'larger' if len(matrix) == 2 else 'largest'} class"
    name = evaluation["class_names"][of_class.argmax()]
    yield f"{judged} guessing {guess}{bound}: {share:.2%} of the images are '{name}'."


def _one_answer(evaluation: dict[str, Any], matrix: np.ndarray) -> Iterator[str]:
    answers, total = matrix.sum(axis=0), matrix.sum()
    column = answers.argmax()
    others = np.delete(matrix, column, axis=0)
    told_apart = others.sum() - others[:, column].sum()
    if answers[column] < NEARLY_ALL * total or told_apart > FEW_OTHERS * others.sum():
        return
    extent = f"all {total:,}" if answers[column] == total else f"{answers[column]:,} of {total:,}"
    yield f"The model answers '{evaluation['class_names'][column]}' for {extent} images."
    interval = evaluation.get("auroc_interval_95")
    if len(matrix) == 2 and interval is not None and interval[0] > 0.5:
        yield f"The AUROC of {evaluation['auroc']:.2f} beats chance: a threshold other than 0.5 does better."


def _wrong_order(evaluation: dict[str, Any]) -> Iterator[str]:
    auroc = evaluation.get("auroc")
    if len(evaluation["class_names"]) == 2 and auroc is not None and auroc < 0.5:
        yield f"The AUROC of {auroc:.2f} is below 0.5: the model ranks the images worse than chance."
