"""Sentences about a space that its user should read before a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from tuner.spaces.compile_settings import unused_settings
from tuner.spaces.pixel_range import scaled_twice, unscaled
from tuner.spaces.saving import not_read_back

NoteSource = Callable[[Any, np.ndarray], Iterator[str]]
"""Yields sentences about the untrained default model, seen with a few images."""

SOURCES: tuple[NoteSource, ...] = (unscaled, scaled_twice, not_read_back, unused_settings)


def notes_on(model: Any, images: np.ndarray) -> tuple[str, ...]:
    """Return the notes of all sources, each once."""
    found = chain.from_iterable(source(model, images) for source in SOURCES)
    return tuple(map(capitalized, dict.fromkeys(found)))


def capitalized(text: str) -> str:
    """Return a sentence with a capital at its start, unless it starts with a name in code."""
    word = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if word.isalpha() and word not in ("build", "compile", "fit") else text
