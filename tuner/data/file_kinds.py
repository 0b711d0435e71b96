"""Images, tables of labels and other files, told apart by their names and first bytes."""

from __future__ import annotations

from typing import Literal

_IMAGES = "jpg jpeg jpe jfif png bmp gif webp tif tiff ppm pgm avif heic heif jp2 ico tga"
_OTHERS = (
    "txt md rst html htm xml yaml yml toml ini cfg log pdf doc docx xls xlsx py ipynb sh js css zip gz tar "
    "tgz xz bz2 7z rar npy npz mat h5 hdf5 pkl pt pth onnx keras tflite pb ckpt tfrecord db sqlite mp4 avi "
    "mov mp3 wav dat lnk url part crdownload"
)
IMAGE_SUFFIXES = frozenset(_IMAGES.split())
TABLE_SUFFIXES = frozenset(("csv", "tsv", "json", "jsonl", "parquet"))
OTHER_SUFFIXES = frozenset(_OTHERS.split())
"""Of files that are surely no images: their first bytes are not read."""
JUNK_FOLDERS = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"))
"""Folders that systems make. Their files are no part of a data set."""
JUNK_FILES = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db"))
NUM_FIRST_BYTES = 32
"""Bytes at the beginning of a file that `is_image_content` needs, at most."""

Kind = Literal["image", "table", "other", "unknown", "junk"]

# Without TGA and ICO, whose first bytes say too little.
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
_BRANDS = frozenset((b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"))
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"


def kind_of(path: str) -> Kind:
    """Return the kind of a file by its path: folders with `/`, relative to the source.

    "unknown" is a file without a suffix or with one that says nothing: its first bytes tell. "junk" is
    hidden, or made by a system.
    """
    *folders, name = path.split("/")
    if name.startswith(".") or any(each.startswith(".") or each in JUNK_FOLDERS for each in folders):
        return "junk"
    if name.lower() in JUNK_FILES:
        return "junk"
    suffix = suffix_of(name)
    if suffix in IMAGE_SUFFIXES:
        return "image"
    if suffix in TABLE_SUFFIXES:
        return "table"
    return "other" if suffix in OTHER_SUFFIXES else "unknown"


def suffix_of(path: str) -> str:
    """Return the suffix in lower case and without its dot, "" where there is none."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].strip().lower() if "." in name.strip(".") else ""


def is_image_content(first: bytes) -> bool:
    """Tell an image by its first NUM_FIRST_BYTES bytes."""
    return (
        first.startswith(_SIGNATURES)
        or first.startswith(_JP2)
        or (first.startswith(b"RIFF") and first[8:12] == b"WEBP")
        or (first[4:8] == b"ftyp" and first[8:12] in _BRANDS)
        or (first[:1] == b"P" and first[1:2] in b"123456" and first[2:3].isspace())
    )
