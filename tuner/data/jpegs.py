"""Ordinary JPEGs, decoded without a new reading of the header of each.

The small images of a data set mostly come from one encoder with one setting. Their headers are then equal,
and reading a header takes Pillow longer than decoding the pixels.
"""

from __future__ import annotations

import struct

from PIL import Image

MAX_BYTES = 65536
"""Larger files are left to Pillow's own reader, which feeds its decoder pieces of this many bytes."""

_SEGMENT = struct.Struct(">BBH")
_PREFIX = 0xFF
_HUFFMAN_TABLES, _START_OF_SCAN = 0xC4, 0xDA
# Baseline and progressive frames, tables, applications and comments; the rest is rare enough to be left out.
_ALLOWED = frozenset((0xC0, 0xC2, _HUFFMAN_TABLES, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE))


def signature(encoded: bytes) -> bytes | None:
    """Return the header of a JPEG without its Huffman tables, which often differ.

    Two files with the same signature give Pillow images of the same size, mode and metadata. None for other
    files, those larger than MAX_BYTES, and those with anything unusual.
    """
    if len(encoded) > MAX_BYTES or not encoded.startswith(b"\xff\xd8"):
        return None
    parts: list[bytes] = []
    at = 2
    try:
        while True:
            prefix, marker, length = _SEGMENT.unpack_from(encoded, at)
            if prefix != _PREFIX:
                return None
            if marker == _START_OF_SCAN:
                return b"".join(parts)
            if marker not in _ALLOWED or length < 2:
                return None
            end = at + 2 + length
            if marker != _HUFFMAN_TABLES:
                parts.append(encoded[at:end])
            at = end
    except struct.error:  # it ends before its pixels begin
        return None


def is_ordinary(image: Image.Image) -> bool:
    """Tell whether an image that Pillow opened needs nothing but decoding to be shown right."""
    return (
        image.format == "JPEG"  # not several pictures in one file
        and image.mode in ("RGB", "L")
        and not image.info.keys() & {"exif", "xmp"}  # which may ask for a rotation
    )


def decode_ordinary(encoded: bytes, mode: str, size: tuple[int, int]) -> Image.Image | None:
    """Return the image of a JPEG with the signature of an ordinary one of this mode and size.

    None where its pixels are broken or cut off: Pillow's own reader then gives the reason.
    """
    try:
        return Image.frombytes(mode, size, encoded, "jpeg", mode, "")
    except Exception:  # the decoder says less about a broken file than the reader does
        return None
