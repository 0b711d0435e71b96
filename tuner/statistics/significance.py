"""Whether two models differ by more than chance, judged on the images that both have seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Below so many images that the models judge differently, the binomial distribution is summed exactly.
MIN_DISCORDANT = 25
ALPHA = 0.05


@dataclass(frozen=True)
class McNemar:
    """Two models on the same images; `exact` tells which of the two forms of the test was used."""

    images: int
    only_first: int
    only_second: int
    p_value: float
    exact: bool

    @property
    def test(self) -> str:
        """Name of the test as reports state it."""
        form = "exact binomial" if self.exact else "chi-squared with continuity correction"
        return f"McNemar, {form}"


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    """Test whether two models are right equally often on the same images, two-sided.

    Only images count on which exactly one of them is right. Of fewer than MIN_DISCORDANT such images the
    probability is exact; of more it is that of chi-squared with one degree of freedom, with Edwards'
    correction for continuity.

    Args:
        first: Whether the first model is right, of shape (images,), boolean.
        second: The same of the second model, image by image.

    Raises:
        ValueError: the shapes differ.

    Source: McNemar 1947, Note on the sampling error of the difference between correlated proportions; Edwards
    1948, Note on the correction for continuity; Dietterich 1998, Approximate statistical tests for comparing
    supervised classification learning algorithms, section 3.1.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} are not the same images")
    first, second = first.astype(bool), second.astype(bool)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    exact = discordant < MIN_DISCORDANT
    if exact:
        tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1))
        p_value = min(1.0, 2 * tail / 2**discordant)
    else:
        statistic = max(0, abs(only_first - only_second) - 1) ** 2 / discordant
        p_value = math.erfc(math.sqrt(statistic / 2))
    return McNemar(len(first), only_first, only_second, p_value, exact)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values of several tests, adjusted so that one false alarm among all keeps its level.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def p_text(p_value: float) -> str:
    """Return `p = 0.31`, `p = 0.0042` or `p < 0.0001`: two digits that mean something."""
    if p_value < 0.0001:
        return "p < 0.0001"
    digits = 2 if p_value >= 0.1 else 1 - math.floor(math.log10(p_value))
    return f"p = {p_value:.{digits}f}"
