"""Images, tables of labels and other files, told apart by their names and first bytes."""

from __future__ import annotations

from typing import Literal

from tuner.sources import heif

_IMAGES = (
    "jpg jpeg jpe jfif mpo png apng bmp gif webp tif tiff ppm pgm pbm pnm avif heic heif hif "
    "jp2 j2k jpx ico tga"
)
# Raw photographs are TIFF files too, but those hold a small preview only.
_OTHERS = (
    "txt md rst html htm xml yaml yml toml ini cfg log pdf doc docx xls xlsx ppt pptx py ipynb sh js css "
    "zip gz tar tgz xz bz2 7z rar npy npz mat h5 hdf5 pkl pt pth onnx keras tflite pb ckpt tfrecord db "
    "sqlite mp4 m4v avi mov mkv webm mpg mp3 wav dat lnk url part crdownload psd xcf svg eps ai "
    "raw dng cr2 cr3 nef nrw arw sr2 raf rw2 orf pef srw svs ndpi"
)
IMAGE_SUFFIXES = frozenset(_IMAGES.split())
TABLE_SUFFIXES = frozenset(("csv", "tsv", "json", "jsonl", "parquet"))
ARCHIVE_SUFFIXES = frozenset(("zip", "tar", "gz", "tgz", "xz", "bz2"))
OTHER_SUFFIXES = frozenset(_OTHERS.split())
"""Of files that are surely no images: their first bytes are not read."""
JUNK_FOLDERS = frozenset(
    (
        *("__macosx", "@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "recycler"),
        *("system volume information", "lost+found"),
    )
)
"""Folders that systems make, in lower case. Their files are no part of a data set."""
JUNK_FILES = frozenset(("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"))
NUM_FIRST_BYTES = 32
"""Bytes at the beginning of a file that `is_image_content` needs, at most."""

Kind = Literal["image", "table", "other", "unknown", "junk"]

# Without TGA and ICO, whose first bytes say too little.
_SIGNATURES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
)


def kind_of(path: str) -> Kind:
    """Return the kind of a file by its path: folders with `/`, relative to the source.

    "unknown" is a file without a suffix or with one that says nothing: its first bytes tell. "junk" is
    hidden, or made by a system.
    """
    folders, _, name = path.rpartition("/")
    if name.startswith(".") or (folders and _is_junk(folders)):
        return "junk"
    suffix = suffix_of(name)
    if suffix in IMAGE_SUFFIXES:
        # Some cameras and programs call their JPEGs .heic.
        return "unknown" if suffix in heif.SUFFIXES and not heif.is_installed() else "image"
    if name.lower() in JUNK_FILES:
        return "junk"
    if suffix in TABLE_SUFFIXES:
        return "table"
    return "other" if suffix in OTHER_SUFFIXES else "unknown"


def is_junk_folder(name: str) -> bool:
    """Tell whether a folder is one that a system made for itself, and not hidden by its name."""
    return name.lower() in JUNK_FOLDERS


def suffix_of(path: str) -> str:
    """Return the suffix in lower case and without its dot, "" where there is none."""
    stem, _, suffix = path.rpartition(".")
    return "" if not stem or "/" in suffix else suffix.strip().lower()


def is_image_content(first: bytes) -> bool:
    """Tell an image that can be read by its first NUM_FIRST_BYTES bytes."""
    if heif.is_heif(first):
        return heif.is_installed()
    return (
        first.startswith(_SIGNATURES)
        or (first.startswith(b"BM") and first[6:10] == b"\0\0\0\0")
        or (first.startswith(b"RIFF") and first[8:12] == b"WEBP")
        or (first[4:8] == b"ftyp" and first[8:12] in (b"avif", b"avis", b"mif1", b"msf1"))
        or (first[:1] == b"P" and first[1:2] in b"123456" and first[2:3].isspace())
    )


def _is_junk(folders: str) -> bool:
    return any(name.startswith(".") or is_junk_folder(name) for name in folders.split("/"))
