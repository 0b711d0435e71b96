"""Decode the images of a source, once and in parallel, into the cache."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from tuner import cache_folder
from tuner.data import cache
from tuner.data.decoding import (
    Format,
    Header,
    decode,
    decode_in_threads,
    quiet_pillow,
    read_extremes,
    read_header,
)
from tuner.data.deep_pixels import BeyondRangeError, is_deep
from tuner.data_options import MIN_SIZE, OF_FILES, SPLITS, DataOptions, Resize
from tuner.errors import DataError
from tuner.sources.folder_tree import ALLOWED
from tuner.sources.label_tables import tables_beside_digest
from tuner.sources.listing import NO_GROUP, NO_SPLIT, Listing, SkippedImage, Source, UnreadableError
from tuner.sources.passed_over import sentences
from tuner.sources.pixel_range import (
    DeepImage,
    Extremes,
    common_range,
    contrast_notes,
    range_notes,
    require_alike,
    require_light_splits,
)

MAX_DEFAULT_SIZE = 64
"""Most pixels a side where neither the user nor the space states an image size."""

# Options that change the images, their classes, splits or groups: each combination is decoded on its own.
_OF_LISTING = {*OF_FILES, "min_class_images", "data_format"}
_HEADER_SAMPLE = 256
_CHUNK_IMAGES = 64
_CHUNK_BYTES = 8 * 2**20


@dataclass(frozen=True)
class WantedFormat:
    """The format that images are asked for in."""

    size: int | None = None
    """Pixels a side; None takes the most frequent shorter side of the images, MIN_SIZE to `largest`."""
    channels: int | None = None
    """1 or 3; None takes 3 unless every image is grey."""
    largest: int = MAX_DEFAULT_SIZE
    """Most pixels a side where `size` is None."""
    resize: Resize = "squeeze"
    """How an image that is no square becomes one."""

    def suited_to(self, headers: Sequence[Header], deep: Iterable[Extremes]) -> Format:
        """Return the format for images with these headers and these deep pixels."""
        size, channels = self.size, self.channels
        if size is None:
            sides = Counter(min(header.width, header.height) for header in headers)
            # Of two sides equally frequent the larger: pixels can be thrown away later, not made.
            side = max(sides, key=lambda side: (sides[side], side), default=self.largest)
            size = min(max(side, MIN_SIZE), self.largest)
        if channels is None:
            channels = 1 if headers and all(header.is_grey for header in headers) else 3
        return Format(size, channels, self.resize, common_range(deep))


def prepare(
    source: Source,
    options: DataOptions,
    wanted: WantedFormat,
    least_classes: int = 2,
    progress: cache.Progress | None = None,
) -> tuple[Path, cache.Meta]:
    """Return the cache folder of a source's decoded images, and decode them first where they are not there.

    Two processes may ask for the same at once: one decodes, the other waits. `progress(done, total)` is
    called while images are decoded; it starts again where a sample of the images gave another format. It is
    called too while very many decoded ones are checked. A note says that damaged ones are decoded anew.

    Raises:
        DataError: the source is unusable, has fewer than `least_classes` classes, no image can be read, or
            the cache cannot be read or written.
    """
    said = {name: value for name, value in options.model_dump().items() if name in _OF_LISTING}
    request = [cache.CACHE_VERSION, source.digest(), said, wanted.size, wanted.channels, wanted.resize]
    if wanted.size is None and wanted.largest != MAX_DEFAULT_SIZE:
        request.append(wanted.largest)
    if beside := tables_beside_digest(source.path):
        request.append(beside)
    key = blake2b(json.dumps(request).encode(), digest_size=12).hexdigest()
    folder = cache_folder.cache_root() / "datasets" / key
    meta = cache.open_checked(folder, progress)
    if meta is None:
        with cache_folder.exclusive(folder):
            meta = cache.open_checked(folder, progress)  # another process may have been faster
            if meta is None:
                repair = (f"{folder} was damaged: its images are decoded anew",) if folder.exists() else ()
                listing = source.listing(options)
                _require_classes(listing.class_names, least_classes, source.location, listing.notes)
                with cache_folder.replacing(folder) as draft, quiet_pillow():
                    meta = _build(draft, source.location, listing, wanted, progress)
                return folder, replace(meta, notes=(*meta.notes, *repair))
    _require_classes(meta.class_names, least_classes, source.location, meta.notes)
    return folder, meta


def _require_classes(names: Sequence[str], least: int, location: str, notes: Sequence[str]) -> None:
    if len(names) < least:
        raise DataError(
            f"{location}: only one class, '{names[0]}'. At least two are needed. {ALLOWED}. "
            f"Add images of the other class, or give the folder that holds both.{sentences(notes)}"
        )


def _build(
    folder: Path, location: str, listing: Listing, wanted: WantedFormat, progress: cache.Progress | None
) -> cache.Meta:
    guess, form = None, wanted.suited_to(*_sample(listing))
    while guess != form:  # mostly once; guessing first spares most data sets a second reading of every file
        decoded = _decode_all(folder / cache.IMAGES, listing, form, progress)
        headers = [image.header for image in decoded.images]
        guess, form = form, wanted.suited_to(headers, [extremes for _, extremes in decoded.deep])
    images, skipped = decoded.images, decoded.skipped
    if not images:
        raise DataError(
            f"{location}: none of its {len(listing.paths):,} images can be read, for one "
            f"'{skipped[0].path}': {skipped[0].reason}. "
            f"At least some must be whole. Check how the data set was made or copied."
        )
    deep = [_deep_image(listing, *found) for found in decoded.deep]
    require_alike(deep, location)
    stats = decoded.pixel_stats(len(images) * form.size**2 * form.channels)
    modes = tuple(sorted({image.header.mode for image in images}))
    records = _records(listing, images, modes)
    require_light_splits(cache.load_images(folder), records["split"], location)
    image_shape = (form.size, form.size, form.channels)
    meta = cache.Meta(
        class_names=listing.class_names,
        image_shape=image_shape,
        fingerprint=fingerprint(listing.class_names, image_shape, records),
        modes=modes,
        skipped=(*listing.unplaced, *skipped),
        pixel_stats=stats,
        pixel_range=listing.pixel_range or form.pixel_range,
        group_names=listing.group_names,
        groups_stay_together=listing.groups_stay_together,
        notes=(
            *listing.notes,
            *range_notes(deep, form.pixel_range),
            *contrast_notes(stats.minimum, stats.maximum),
        ),
    )
    cache.save_description(folder, meta, records, [listing.paths[image.place] for image in images])
    return meta


def _deep_image(listing: Listing, place: int, extremes: Extremes) -> DeepImage:
    split = listing.splits[place]
    named = "" if split == NO_SPLIT else SPLITS[split]
    return DeepImage(named, listing.class_names[listing.labels[place]], extremes)


def _sample(listing: Listing) -> tuple[list[Header], list[Extremes]]:
    """Return the headers of some images, evenly spread over the listing, and the extremes of deep ones."""
    headers, deep = [], []
    with listing.open_reader() as read:
        count = min(_HEADER_SAMPLE, len(listing.paths))
        for index in np.linspace(0, len(listing.paths) - 1, count).astype(int):
            with suppress(UnreadableError):  # counted when everything is decoded
                encoded = read(listing.handles[index])
                headers.append(read_header(encoded))
                if is_deep(headers[-1].mode):
                    deep.append(read_extremes(encoded))
    return headers, [extremes for extremes in deep if extremes.are_readable]


class _Image(NamedTuple):
    """A decoded image of a listing, without its pixels."""

    place: int
    header: Header
    pixel_hash: int


class _Part(NamedTuple):
    """Decoded images of a listing, all or some of them."""

    images: list[_Image]
    skipped: list[SkippedImage]
    deep: list[tuple[int, Extremes]]
    """Place and pixels of deep images, also of those outside of the range that was guessed."""
    sums: list[tuple[int, int, int]]
    """Minimum, maximum and sum of the pixels of each chunk."""

    def extend(self, part: _Part) -> None:
        """Add the images of another part."""
        self.images.extend(part.images)
        self.skipped.extend(part.skipped)
        self.deep.extend(part.deep)
        self.sums.extend(part.sums)

    def pixel_stats(self, number: int) -> cache.PixelStats:
        """Return the pixels of all images together, of which there are so many."""
        lows, highs, totals = zip(*self.sums, strict=True)
        return cache.PixelStats(min(lows), max(highs), sum(totals) / number)


def _decode_all(path: Path, listing: Listing, form: Format, progress: cache.Progress | None) -> _Part:
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
    chunks = [range(start, min(start + chunk, total)) for start in range(0, total, chunk)]
    decode_chunk = partial(_decode_chunk, listing, form)
    whole = _Part([], [], [], [])
    with path.open("wb") as file, closing(decode_in_threads(decode_chunk, chunks)) as parts:
        header_bytes = _write_npy_header(file, total, form)
        for indices, (pixels, part) in zip(chunks, parts, strict=True):
            file.write(pixels)
            whole.extend(part)
            if progress:
                progress(indices.stop, total)
        file.seek(0)
        if _write_npy_header(file, len(whole.images), form) != header_bytes:
            raise AssertionError("NumPy leaves room in a header for any number of images")
    return whole


def _write_npy_header(file: BinaryIO, count: int, form: Format) -> int:
    """Write the header of `count` images; returns its length in bytes, which does not depend on `count`."""
    shape = (count, form.size, form.size, form.channels)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()


def _decode_chunk(listing: Listing, form: Format, indices: range) -> tuple[bytes, _Part]:
    """Decode some images; runs in a thread. Returns the joined pixels of the readable images first."""
    pixels, part = [], _Part([], [], [], [])
    with listing.open_reader() as read:
        for index in indices:
            try:
                image = decode(read(listing.handles[index]), form)
            except UnreadableError as error:
                part.skipped.append(SkippedImage(listing.paths[index], str(error)))
                if isinstance(error, BeyondRangeError) and error.extremes.are_readable:
                    part.deep.append((index, error.extremes))
                continue
            pixels.append(image.pixels.tobytes())
            part.images.append(_Image(index, image.header, cache.pixel_hash(image.pixels)))
            if image.extremes:
                part.deep.append((index, image.extremes))
    joined = b"".join(pixels)
    if joined:
        values = np.frombuffer(joined, np.uint8)
        part.sums.append((int(values.min()), int(values.max()), int(values.sum(dtype=np.int64))))
    return joined, part


def _records(listing: Listing, images: Sequence[_Image], modes: Sequence[str]) -> npt.NDArray[Any]:
    places, headers, hashes = map(list, zip(*images, strict=True))
    records = np.empty(len(images), cache.RECORD)
    records["label"] = listing.labels[places]
    records["split"] = listing.splits[places]
    records["group"] = NO_GROUP if listing.groups is None else listing.groups[places]
    records["file_size"] = listing.file_sizes[places]
    records["pixel_hash"] = hashes
    records["mode"] = [modes.index(header.mode) for header in headers]
    for name in ("width", "height", "jpeg_tables"):
        records[name] = [getattr(header, name) for header in headers]
    return records


def fingerprint(
    class_names: Sequence[str], image_shape: tuple[int, int, int], records: npt.NDArray[Any]
) -> str:
    """Return a hash of the content alone, which is equal for equal images in a folder and in a zip file."""
    hasher = blake2b(json.dumps([class_names, image_shape[1:]]).encode(), digest_size=8)
    for name in ("label", "split", "pixel_hash"):
        hasher.update(np.ascontiguousarray(records[name]).tobytes())
    return hasher.hexdigest()
