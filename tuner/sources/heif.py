"""Photographs of telephones in HEIF (.heic), which Pillow reads with the package pillow-heif alone."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

SUFFIXES = frozenset(("heic", "heif", "hif"))
REMEDY = "pip install 'kt-search[heif]' adds the reader"

_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_CONTAINERS = frozenset((b"mif1", b"msf1"))


@cache
def is_installed() -> bool:
    """Tell whether images in HEIF can be read."""
    return find_spec("pillow_heif") is not None


@cache
def teach_pillow() -> None:
    """Let Pillow open the format HEIF; only with `is_installed`."""
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def is_heif(first: bytes) -> bool:
    """Tell an image in HEIF by its first 32 bytes. AVIF has the same containers."""
    if first[4:8] != b"ftyp":
        return False
    return first[8:12] in _BRANDS or (first[8:12] in _CONTAINERS and b"avi" not in first[12:32])
