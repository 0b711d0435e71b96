"""From the bytes of an image file to pixels of one size and one number of channels."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from tuner.data import jpegs
from tuner.data.deep_pixels import DeepPixels, deep_pixels, is_colour, is_deep, load_lower_bytes, stored_mode
from tuner.data_options import Resize
from tuner.errors import one_line
from tuner.sources import heif
from tuner.sources.file_kinds import NUM_FIRST_BYTES
from tuner.sources.listing import Encoded, UnreadableError
from tuner.sources.pixel_range import FULL_RANGE, Extremes, PixelRange

MAX_PIXELS = cast(int, Image.MAX_IMAGE_PIXELS)
"""Images with more pixels are left out: they could take gigabytes. Pillow's own bound, 89 million."""

# Tried in this order, whatever the file is called. Not all that Pillow knows: EPS would start a program.
# TGA comes last, as its first bytes say little.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "MPO", "JPEG2000", "ICO", "TGA")
_BACKGROUND = 255
_ORIENTATION_TAG = 0x0112
DRAFT_FACTOR = 2
"""A large JPEG is decoded at a fraction of its size, but no smaller than this many times the wanted size."""
_MAX_SIGNATURES = 64
_MAX_THREADS = 16

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class Format(NamedTuple):
    """Format of decoded images: a square of `size` pixels with 1 (grey) or 3 (RGB) channels."""

    size: int
    channels: int
    resize: Resize = "squeeze"
    """How an image that is no square becomes one."""
    pixel_range: PixelRange = FULL_RANGE
    """Pixels of more than 8 bits that become 0 and 255."""


class Header(NamedTuple):
    """Properties of an image file. Width and height are as stored, before any EXIF rotation."""

    width: int
    height: int
    mode: str
    """Pillow's; "RGB;16" and "RGBA;16" of 16-bit colours, for which it has none."""
    jpeg_tables: int
    """Sum of the JPEG quantisation tables, 0 for other files: the coarser the compression, the higher."""

    @property
    def is_grey(self) -> bool:
        return self.mode in ("1", "L", "LA", "La", "F") or self.mode.startswith("I")


class Decoded(NamedTuple):
    """Pixels of shape (size, size, channels), with facts of their file."""

    pixels: npt.NDArray[np.uint8]
    header: Header
    extremes: Extremes | None
    """Of deep pixels; None of those with 8 bits."""


# Headers of ordinary JPEGs by their signatures; bounded, as each file may have one of its own.
_ordinary: dict[bytes, Header] = {}


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings about odd metadata, and make its warning of huge images an error.

    Enter it once around all decoding: warning filters belong to the process, not to a thread.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode_in_threads(
    decode_chunk: Callable[[Chunk], Result], chunks: Iterable[Chunk], ahead: int | None = None
) -> Generator[Result, None, None]:
    """Yield the result of `decode_chunk` for each chunk, in order.

    Args:
        ahead: Number of chunks decoded ahead of the caller, which bounds the memory; None takes two a thread.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = min(_MAX_THREADS, cores)
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, "decode") as pool:
        try:
            for chunk in chunks:
                pending.append(pool.submit(decode_chunk, chunk))
                if len(pending) > (ahead or 2 * threads):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def read_header(encoded: Encoded) -> Header:
    """Return the properties of an image without decoding its pixels.

    Raises:
        UnreadableError: it is no image, or has more than MAX_PIXELS.
    """
    return _header(_open(encoded))


def read_extremes(encoded: Encoded) -> Extremes:
    """Return the smallest and the largest pixel of a deep image.

    Raises:
        UnreadableError: it cannot be decoded in full, or has more than MAX_PIXELS.
    """
    with _unreadable_if_broken():
        image = _open(encoded)
        mode = stored_mode(image)
        image.load()
        return _deep(_upright(image), encoded, mode).extremes


def decode(encoded: Encoded, form: Format) -> Decoded:
    """Return the pixels of an image in the wanted format.

    EXIF rotation is applied. Transparent pixels are laid on white, as on a page. Pixels of more than 8 bits
    are scaled, not clipped. An animation counts as its first frame. Another size is resized (Lanczos).

    Raises:
        UnreadableError: it cannot be decoded in full, or has more than MAX_PIXELS.
        BeyondRangeError: it has deep pixels outside of the range of the format.
    """
    signature = jpegs.signature(encoded) if isinstance(encoded, bytes) else None
    extremes = None
    with _unreadable_if_broken():
        image, header = _load_ordinary(encoded, signature, form) or _load(encoded, signature, form)
        if is_deep(header.mode):
            deep = _deep(image, encoded, header.mode)
            image, extremes = deep.to_8_bits(form.pixel_range), deep.extremes
        image = resized(_flatten(image, "RGB" if form.channels == 3 else "L"), form.size, form.resize)
        pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(form.size, form.size, form.channels)
    return Decoded(pixels, header, extremes)


def resized(image: Image.Image, size: int, how: Resize) -> Image.Image:
    """Return a square of `size` pixels a side: the image squeezed, its middle, or all of it on black."""
    width, height = image.size
    if width == height or how == "squeeze":
        return image if image.size == (size, size) else _lanczos(image, (size, size))
    if how == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return _lanczos(image, (size, size), (left, top, left + side, top + side))
    scale = size / max(width, height)
    inner = _lanczos(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    square = Image.new(image.mode, (size, size))
    square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return square


@contextmanager
def _unreadable_if_broken() -> Iterator[None]:
    try:
        yield
    except UnreadableError:
        raise
    except Exception as error:  # a broken file makes Pillow's plug-ins raise almost anything
        raise UnreadableError(_reason(error)) from error


def _lanczos(
    image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int] | None = None
) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=3.0)


def _deep(image: Image.Image, encoded: Encoded, mode: str) -> DeepPixels:
    lower = _upright(load_lower_bytes(cast(ImageFile, _open(encoded)))) if is_colour(mode) else None
    return deep_pixels(image, lower)


def _load_ordinary(
    encoded: Encoded, signature: bytes | None, form: Format
) -> tuple[Image.Image, Header] | None:
    """Return a JPEG with the signature of an earlier one; None where there is none, or it is broken."""
    header = _ordinary.get(signature) if signature else None
    if header is None or not isinstance(encoded, bytes) or _is_reduced(header, form):
        return None
    image = jpegs.decode_ordinary(encoded, header.mode, (header.width, header.height))
    return (image, header) if image else None


def _load(encoded: Encoded, signature: bytes | None, form: Format) -> tuple[Image.Image, Header]:
    image = _open(encoded)
    header = _header(image)
    if image.format == "JPEG" and _is_reduced(header, form):
        image.draft(image.mode, (DRAFT_FACTOR * form.size,) * 2)
    image.load()
    if signature and len(_ordinary) < _MAX_SIGNATURES and jpegs.is_ordinary(image):
        _ordinary[signature] = header
    return _upright(image), header


def _is_reduced(header: Header, form: Format) -> bool:
    """Tell whether a JPEG is large enough to be decoded at a fraction of its size."""
    return min(header.width, header.height) > DRAFT_FACTOR * form.size


def _open(encoded: Encoded) -> Image.Image:
    if isinstance(encoded, Image.Image):
        return encoded
    if not encoded:
        raise UnreadableError("empty file")
    if is_heif := heif.is_heif(encoded[:NUM_FIRST_BYTES]):
        if not heif.is_installed():
            raise UnreadableError(f"an image in HEIF (.heic); {heif.REMEDY}")
        heif.teach_pillow()
    try:
        return Image.open(io.BytesIO(encoded), formats=("HEIF",) if is_heif else _formats())
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadableError(f"more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:  # see _unreadable_if_broken
        raise UnreadableError(_reason(error)) from error


@cache
def _formats() -> tuple[str, ...]:
    """Return the _FORMATS of this Pillow; it refuses the name of another."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _header(image: Image.Image) -> Header:
    width, height = image.size
    tables: dict[int, list[int]] = getattr(image, "quantization", None) or {}
    return Header(width, height, stored_mode(image), sum(map(sum, tables.values())))


def _upright(image: Image.Image) -> Image.Image:
    """Rotate as the EXIF data say; they are slow to read, so a JPEG with neither EXIF nor XMP is skipped."""
    if image.format == "JPEG" and "exif" not in image.info and "xmp" not in image.info:
        return image
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # broken metadata are no reason to lose the picture
        return image
    return ImageOps.exif_transpose(image) if orientation != 1 else image


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """Convert any mode to RGB or L."""
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (_BACKGROUND,) * 4)
        image = Image.alpha_composite(background, image).convert("RGB")
    return image.convert(mode) if image.mode != mode else image


def _reason(error: Exception) -> str:
    """Return in a few words on one line why an image cannot be read."""
    if isinstance(error, UnidentifiedImageError):  # its text names a memory address
        return "not an image, or of an unknown format"
    if isinstance(error, (struct.error, zlib.error, EOFError, IndexError)):
        return "broken or cut off"
    return one_line(error)[:100]
