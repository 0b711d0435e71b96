"""Any number of images, decoded a little ahead of the caller; none is kept."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby, islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tuner.data.decoding import Format, decode, decode_in_threads, quiet_pillow
from tuner.data.image_paths import InputImage
from tuner.errors import DataError
from tuner.sources.listing import UnreadableError

MAX_AT_ONCE = 4096
"""Most images that are yielded at once."""

_MAX_BYTES = 64 * 2**20
_CHUNK_IMAGES = 64


class DecodedImages(NamedTuple):
    """Some images, in order."""

    paths: list[str]
    problems: list[str | None]
    """Reason why an image cannot be read, None for a readable one; one for each path."""
    pixels: npt.NDArray[np.uint8]
    """Of the readable images, shape (k, size, size, channels), 0..255."""


def decode_stream(
    images: Iterable[InputImage], form: Format, at_once: int | None = None
) -> Generator[DecodedImages, None, None]:
    """Yield images in their order, decoded like those of a data set, `at_once` at a time and then the rest.

    Threads decode up to twice as many ahead, while the caller uses the images that it has.

    Args:
        at_once: Images to yield at once, at least 1; None takes as many as fit into 64 MiB, at most
            MAX_AT_ONCE.
    """
    if at_once is None:
        at_once = max(1, min(MAX_AT_ONCE, _MAX_BYTES // (form.size**2 * form.channels)))
    size = min(_CHUNK_IMAGES, at_once)
    rest = iter(images)
    chunks = iter(lambda: list(islice(rest, size)), [])
    decode_chunk = partial(_decode_chunk, form=form)
    parts: list[DecodedImages] = []
    waiting = 0
    with quiet_pillow(), closing(decode_in_threads(decode_chunk, chunks, 2 * -(-at_once // size))) as decoded:
        for part in decoded:
            parts.append(part)
            waiting += len(part.paths)
            if waiting >= at_once:
                yield _joined(parts)
                parts, waiting = [], 0
    if parts:
        yield _joined(parts)


def _decode_chunk(images: Sequence[InputImage], form: Format) -> DecodedImages:
    """Decode some images; runs in a thread."""
    problems: list[str | None] = []
    pixels = np.empty((len(images), form.size, form.size, form.channels), np.uint8)
    decoded = 0
    for open_reader, group in groupby(images, key=lambda image: image.open_reader):
        with open_reader() as read:
            for image in group:
                try:
                    pixels[decoded] = decode(read(image.handle), form).pixels
                    problems.append(None)
                    decoded += 1
                except (UnreadableError, DataError) as error:
                    problems.append(str(error))
    return DecodedImages([image.path for image in images], problems, pixels[:decoded])


def _joined(parts: Sequence[DecodedImages]) -> DecodedImages:
    return DecodedImages(
        [path for part in parts for path in part.paths],
        [problem for part in parts for problem in part.problems],
        np.concatenate([part.pixels for part in parts]),
    )
