"""A NumPy .npz file as a source."""

from __future__ import annotations

import zipfile
import zlib
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from tuner.data.decoding import scale_16_bit
from tuner.data.listing import NO_SPLIT, Listing, Source, printable
from tuner.data.zip import damaged, directory_digest
from tuner.data_options import NO_WISHES, DataOptions
from tuner.errors import DataError

SPLIT_ARRAYS = (("x_train", "y_train"), ("x_val", "y_val"), ("x_test", "y_test"))
"""Names of the images and labels of each split, in the order of `layout.SPLITS`."""
WHOLE_ARRAYS = (("x", "y"), ("images", "labels"))
CLASS_NAMES = "class_names"
_ALLOWED = (
    "Allowed: x_train, y_train, x_test, y_test and optionally x_val, y_val; or x, y; or images, labels; "
    "each optionally with class_names"
)
_IMAGES_ALLOWED = (
    "Allowed: shape (n, height, width) or (n, height, width, 1, 3 or 4) of uint8, uint16, "
    "or floats in 0..1 or 0..255"
)
_LABELS_ALLOWED = "Allowed: whole numbers from 0 or strings of shape (n,) or (n, 1), one for each image"


class _Part(NamedTuple):
    """Images and labels of a split, as in the file, with the names of their arrays."""

    split: int
    x_name: str
    y_name: str
    x: npt.NDArray[Any]
    y: npt.NDArray[Any]


class NpzSource(Source):
    """Images and labels in arrays.

    Images: uint8 stay as they are; uint16 are scaled from 0..65535; floats from 0..1 if no pixel of any split
    is above 1, else from 0..255. Labels: numbers index `class_names`; without it the numbers are the names,
    with leading zeros so that alphabetical order is their order. Classes are in alphabetical order.
    """

    def digest(self) -> str:
        """Return the hash of the central directory: a .npz is a zip archive with a CRC for each array."""
        return directory_digest(self.path)

    def listing(self, options: DataOptions = NO_WISHES) -> Listing:
        parts, given_names = self._load()
        for part in parts:
            self._check_shapes(part)
        names, labels = self._classes(parts, given_names)
        images = [image for part in self._as_bytes(parts) for image in part]
        return Listing(
            class_names=names,
            paths=[f"{part.x_name}[{index}]" for part in parts for index in range(len(part.x))],
            labels=labels,
            splits=np.repeat([part.split for part in parts], [len(part.x) for part in parts]).astype(np.int8),
            file_sizes=np.array([image.nbytes for image in images], np.int64),
            handles=images,
            open_reader=lambda: nullcontext(_as_image),
        )

    def _load(self) -> tuple[list[_Part], npt.NDArray[Any] | None]:
        if not zipfile.is_zipfile(self.path):  # NumPy would take it for a pickle
            raise damaged(self.location, "it has no central directory")
        try:
            with np.load(self.path, allow_pickle=False) as file:
                names = set(file.files)
                wanted = [
                    (split, *pair) for split, pair in enumerate(SPLIT_ARRAYS) if names.intersection(pair)
                ] or [(NO_SPLIT, *pair) for pair in WHOLE_ARRAYS if names.intersection(pair)][:1]
                missing = sorted({name for _, *pair in wanted for name in pair} - names)
                if not wanted or missing or wanted[0][0] > 0:
                    lacks = f"lacks {', '.join(missing)}" if missing else "has no training images and labels"
                    holds = ", ".join(map(printable, sorted(names))) or "nothing"
                    raise DataError(
                        f"{self.location}: {lacks}; it holds {holds}. {_ALLOWED}. Save it with these names."
                    )
                parts = [_Part(split, x, y, file[x], file[y]) for split, x, y in wanted]
                return parts, file[CLASS_NAMES] if CLASS_NAMES in names else None
        except (OSError, ValueError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
            if "allow_pickle" in str(error):
                raise DataError(
                    f"{self.location}: holds Python objects, which could run code when loaded. "
                    f"Allowed: arrays of numbers or strings. Save it without dtype=object."
                ) from error
            raise damaged(self.location, str(error).partition("\n")[0] or type(error).__name__) from error

    def _check_shapes(self, part: _Part) -> None:
        x, y = part.x, part.y
        plausible = x.ndim == 3 or (x.ndim == 4 and x.shape[3] in (1, 3, 4))
        if not plausible or x.size == 0 or not (x.dtype in (np.uint8, np.uint16) or x.dtype.kind == "f"):
            raise DataError(
                f"{self.location}: {part.x_name} has shape {x.shape} and dtype {x.dtype}. {_IMAGES_ALLOWED}. "
                f"Convert it."
            )
        if y.shape not in ((len(x),), (len(x), 1)) or y.dtype.kind not in "iuUS":
            raise DataError(
                f"{self.location}: {part.y_name} has shape {y.shape} and dtype {y.dtype} "
                f"for {len(x):,} images. {_LABELS_ALLOWED}. Convert it."
            )

    def _classes(
        self, parts: list[_Part], given: npt.NDArray[Any] | None
    ) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
        """Return the class names in alphabetical order and the label of each image among them."""
        kinds = {part.y.dtype.kind in "US" for part in parts}
        if len(kinds) > 1:
            raise DataError(
                f"{self.location}: labels are numbers in one split, strings in another. {_LABELS_ALLOWED}. "
                f"Convert one of them."
            )
        raw = np.concatenate([part.y.reshape(-1) for part in parts])
        if kinds == {True}:
            values, inverse = np.unique(raw.astype(str), return_inverse=True)
            names = values.tolist()
        elif given is not None:
            names = given.reshape(-1).astype(str).tolist()
            if raw.min() < 0 or raw.max() >= len(names) or len(set(names)) < len(names):
                raise DataError(
                    f"{self.location}: labels run from {raw.min()} to {raw.max()} but {CLASS_NAMES} holds "
                    f"{len(set(names))} different names. Allowed: 0 to {len(names) - 1}. Correct either."
                )
            inverse = raw.astype(np.int64)
        else:
            values, inverse = np.unique(raw, return_inverse=True)
            if values[0] < 0:
                raise DataError(f"{self.location}: a label is {values[0]}. {_LABELS_ALLOWED}. Correct it.")
            width = len(str(values[-1]))
            names = [f"{value:0{width}d}" for value in values]
        names = [printable(name) for name in names]
        rank = np.argsort(np.argsort(np.array(names)))  # old label -> place in alphabetical order
        return tuple(sorted(names)), rank[inverse.reshape(-1)].astype(np.int32)

    def _as_bytes(self, parts: list[_Part]) -> list[npt.NDArray[np.uint8]]:
        """Return the images of each part as uint8."""
        floats = [part for part in parts if part.x.dtype.kind == "f"]
        for part in floats:
            low, high = float(part.x.min()), float(part.x.max())
            if not (low >= 0 and high <= 255):  # written so that NaN fails too
                raise DataError(
                    f"{self.location}: {part.x_name} holds pixels from {low:g} to {high:g}. "
                    f"{_IMAGES_ALLOWED}. Undo its normalisation."
                )
        scale = 1.0 if any(part.x.max() > 1 for part in floats) else 255.0
        return [_to_uint8(part.x, scale) for part in parts]


def _to_uint8(x: npt.NDArray[Any], float_scale: float) -> npt.NDArray[np.uint8]:
    if x.dtype.kind == "f":
        return np.rint(x * float_scale).astype(np.uint8)
    if x.dtype == np.uint16:
        return scale_16_bit(x)
    return x.astype(np.uint8, copy=False)


def _as_image(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 and pixels.ndim == 3 else pixels)
