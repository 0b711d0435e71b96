"""Decode the images of a source, once and in parallel, into the cache."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tuner.data import cache
from tuner.data.decoding import Format, Header, decode, quiet_pillow, read_header
from tuner.data.layout import ALLOWED
from tuner.data.listing import Listing, SkippedImage, Source, UnreadableError
from tuner.errors import DataError

MAX_DEFAULT_SIZE = 64
"""Where no image size is asked for and the space states none, images are at most so many pixels a side."""
MIN_SIZE, MAX_SIZE = 8, 1024
"""Smallest and largest image size, in pixels a side, inclusive."""

Progress = Callable[[int, int], None]

_HEADER_SAMPLE = 256
_CHUNK_IMAGES = 64
_CHUNK_BYTES = 8 * 2**20
_MAX_WORKERS = 16


def prepare(
    source: Source,
    image_size: int | None,
    channels: int | None,
    progress: Progress | None = None,
    least_classes: int = 2,
    largest: int = MAX_DEFAULT_SIZE,
) -> tuple[Path, cache.Meta]:
    """Return the cache folder of a source's decoded images, which are decoded now if they are not there.

    Without `image_size` the images become squares of the most frequent shorter side among them, between
    MIN_SIZE and `largest`. Without `channels` they become RGB, unless every one is grey. Two processes
    may ask for the same at once: one decodes, the other waits. `progress(done, total)` is called while
    decoding; it begins anew once where a sample of the images gave a wrong idea of the most frequent size.

    Raises:
        DataError: the source is unusable, has fewer than `least_classes` classes, no image can be read, or
            the cache cannot be written.
    """
    request = [cache.CACHE_VERSION, source.digest(), image_size, channels]
    if image_size is None and largest != MAX_DEFAULT_SIZE:
        request.append(largest)
    key = blake2b(json.dumps(request).encode(), digest_size=12).hexdigest()
    folder = cache.cache_root() / "datasets" / key
    if meta := cache.open_checked(folder):
        _require_classes(meta.class_names, least_classes, source.location)
        return folder, meta
    with cache.exclusive(folder):
        if meta := cache.open_checked(folder):  # another process was faster
            _require_classes(meta.class_names, least_classes, source.location)
            return folder, meta
        listing = source.listing()
        _require_classes(listing.class_names, least_classes, source.location)
        with cache.replacing(folder) as draft, quiet_pillow():
            meta = _build(draft, source.location, listing, image_size, channels, progress, largest)
    return folder, meta


def _require_classes(names: Sequence[str], least: int, location: str) -> None:
    if len(names) < least:
        raise DataError(
            f"{location}: only one class, '{names[0]}'. At least two are needed. {ALLOWED}. "
            f"Add images of the other class, or give the folder that holds both."
        )


def _build(
    folder: Path,
    location: str,
    listing: Listing,
    image_size: int | None,
    channels: int | None,
    progress: Progress | None,
    largest: int,
) -> cache.Meta:
    form = _choose_format(_sample_headers(listing), image_size, channels, largest)
    images = _decode_all(folder / cache.IMAGES, listing, form, progress)
    if not images.headers:
        raise DataError(
            f"{location}: none of its {len(listing.paths):,} images can be read, for one "
            f"'{images.skipped[0].path}': {images.skipped[0].reason}. "
            f"At least some must be whole. Check how the data set was made or copied."
        )
    guess, form = form, _choose_format(images.headers, image_size, channels, largest)
    if guess != form:  # rare; guessing first spares most data sets a second reading of every file
        images = _decode_all(folder / cache.IMAGES, listing, form, progress)
    records, modes = _records(listing, images)
    meta = cache.Meta(
        class_names=listing.class_names,
        image_shape=(form.size, form.size, form.channels),
        fingerprint=fingerprint(listing.class_names, form, records),
        modes=modes,
        skipped=(*listing.strays, *images.skipped),
    )
    cache.save_description(folder, meta, records, [listing.paths[index] for index in images.indices])
    return meta


def _sample_headers(listing: Listing) -> list[Header]:
    """Return the headers of some readable images, evenly spread over the listing."""
    headers = []
    with listing.open_reader() as read:
        count = min(_HEADER_SAMPLE, len(listing.paths))
        for index in np.linspace(0, len(listing.paths) - 1, count).astype(int):
            try:
                headers.append(read_header(read(listing.handles[index])))
            except UnreadableError:  # counted when everything is decoded
                continue
    return headers


def _choose_format(
    headers: Sequence[Header], image_size: int | None, channels: int | None, largest: int
) -> Format:
    if image_size is None:
        sides = Counter(min(header.width, header.height) for header in headers)
        # Of two sides equally frequent the larger: pixels can be thrown away later, not made.
        side = max(sides, key=lambda side: (sides[side], side), default=largest)
        image_size = min(max(side, MIN_SIZE), largest)
    if channels is None:
        channels = 1 if headers and all(header.is_grey for header in headers) else 3
    return Format(image_size, channels)


@dataclass
class _Images:
    """What became of the images of a listing; the first three have one item for each that was decoded."""

    indices: list[int] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    hashes: list[int] = field(default_factory=list)
    skipped: list[SkippedImage] = field(default_factory=list)


def _decode_all(path: Path, listing: Listing, form: Format, progress: Progress | None) -> _Images:
    """Decode every image, in the order of the listing, into one .npy file at `path`.

    Threads decode chunks; this thread writes them in order. Ordinary writes, not a writable map: with a map a
    full disk would kill the process instead of raising an error.

    Raises:
        OSError: too little space, or writing failed.
    """
    total = len(listing.paths)
    needed, free = total * form.size**2 * form.channels, shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(None, f"{needed / 1e6:,.0f} MB needed, {free / 1e6:,.0f} MB free")
    chunk = max(1, min(_CHUNK_IMAGES, _CHUNK_BYTES // (form.size**2 * form.channels)))
    bounds = pairwise([*range(0, total, chunk), total])
    workers = min(
        _MAX_WORKERS,
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )
    done = _Images()
    with path.open("wb") as file, ThreadPoolExecutor(workers, "decode") as pool:
        header_bytes = _write_npy_header(file, total, form)
        pending: deque[tuple[int, Future[tuple[bytes, _Images]]]] = deque()

        def finish_oldest() -> None:
            end, future = pending.popleft()
            pixels, part = future.result()
            file.write(pixels)
            done.indices += part.indices
            done.headers += part.headers
            done.hashes += part.hashes
            done.skipped += part.skipped
            if progress:
                progress(end, total)

        try:
            for start, end in bounds:
                pending.append((end, pool.submit(_decode_chunk, listing, range(start, end), form)))
                if len(pending) > 2 * workers:  # bounds the memory for decoded chunks
                    finish_oldest()
            while pending:
                finish_oldest()
        finally:
            for _, future in pending:
                future.cancel()
        file.seek(0)
        if _write_npy_header(file, len(done.indices), form) != header_bytes:
            raise AssertionError("NumPy leaves room in a header for any number of images")
    return done


def _write_npy_header(file: BinaryIO, count: int, form: Format) -> int:
    """Write the header of `count` images; returns its length in bytes, which does not depend on `count`."""
    shape = (count, form.size, form.size, form.channels)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()


def _decode_chunk(listing: Listing, indices: range, form: Format) -> tuple[bytes, _Images]:
    """Decode some images; runs in a thread. Returns the pixels of those that could be read, joined."""
    pixels: list[bytes] = []
    result = _Images()
    with listing.open_reader() as read:
        for index in indices:
            try:
                image = decode(read(listing.handles[index]), form)
            except UnreadableError as error:
                result.skipped.append(SkippedImage(listing.paths[index], str(error)))
                continue
            result.indices.append(index)
            result.headers.append(image.header)
            result.hashes.append(cache.pixel_hash(image.pixels))
            pixels.append(image.pixels.tobytes())
    return b"".join(pixels), result


def _records(listing: Listing, images: _Images) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return the record of each decoded image, and the names of the modes that the records refer to."""
    modes = tuple(sorted({header.mode for header in images.headers}))
    number = {mode: index for index, mode in enumerate(modes)}
    records = np.empty(len(images.indices), cache.RECORD)
    records["label"] = listing.labels[images.indices]
    records["split"] = listing.splits[images.indices]
    records["file_size"] = listing.file_sizes[images.indices]
    records["pixel_hash"] = images.hashes
    records["width"] = [header.width for header in images.headers]
    records["height"] = [header.height for header in images.headers]
    records["mode"] = [number[header.mode] for header in images.headers]
    records["jpeg_tables"] = [header.jpeg_tables for header in images.headers]
    return records, modes


def fingerprint(class_names: Sequence[str], form: Format, records: npt.NDArray[Any]) -> str:
    """Return a hash of the content alone: the same images in a folder and in an archive have the same."""
    hasher = blake2b(json.dumps([class_names, form]).encode(), digest_size=8)
    for name in ("label", "split", "pixel_hash"):
        hasher.update(np.ascontiguousarray(records[name]).tobytes())
    return hasher.hexdigest()
