"""Images and labels in NumPy arrays as a source: a .npz file, or .npy files in one folder."""

from __future__ import annotations

import os
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psutil
from PIL import Image

from tuner.data_options import NO_WISHES, OF_FILES, DataOptions
from tuner.errors import DataError, one_line
from tuner.option_fields import option_name
from tuner.path_names import printable
from tuner.sources.array_labels import ClassNames, Labels, classes_of
from tuner.sources.array_names import choose, meaning
from tuner.sources.array_pixels import Images, bytes_of
from tuner.sources.file_kinds import kind_of
from tuner.sources.listing import NO_SPLIT, Listing, Reader, Source, read_file
from tuner.sources.pixel_range import FULL_RANGE, PixelRange
from tuner.sources.zip import damaged, directory_digest

_SAMPLE_BYTES = 4096

Array = npt.NDArray[Any]


class ArrayImages(NamedTuple):
    """The images of some arrays, without their labels."""

    paths: list[str]
    """Of each image, such as x_test[3]."""
    handles: list[npt.NDArray[np.uint8]]
    notes: tuple[str, ...]
    """Sentences for the user on pixels that are changed."""
    pixel_range: PixelRange | None
    """Range that has become 0..255; None where the pixels were bytes."""


class ArraySource(Source):
    """Images and labels in arrays, found by the names of these. None of them may hold Python objects."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of all arrays that may count."""

    @abstractmethod
    def read(self, names: Collection[str]) -> dict[str, Array]:
        """Return these arrays by name."""

    def listing(self, options: DataOptions = NO_WISHES) -> Listing:
        pairs, class_names, notes = choose(self.names(), self.location)
        wanted = [name for pair in pairs for name in pair[1:]]
        arrays = self.read([*wanted, class_names] if class_names is not None else wanted)
        parts = [(pair.images, arrays[pair.images]) for pair in pairs]
        found = _decoded(parts, options, self.location)
        given = None if class_names is None else ClassNames(printable(class_names), arrays[class_names])
        labels = [Labels(printable(y), arrays[y], len(arrays[x])) for _, x, y in pairs]
        classes = classes_of(labels, given, self.location)
        splits = np.repeat([pair.split for pair in pairs], [len(x) for _, x in parts])
        listing = Listing(
            class_names=classes.names,
            paths=found.paths,
            labels=classes.labels,
            splits=splits.astype(np.int8),
            file_sizes=np.array([image.nbytes for image in found.handles], np.int64),
            handles=found.handles,
            open_reader=open_reader,
            notes=(*notes, *classes.notes, *found.notes, *_not_used(options)),
            pixel_range=found.pixel_range,
        )
        return listing.without_small_classes(options.min_class_images)

    def images(self, known: PixelRange = FULL_RANGE) -> ArrayImages:
        """Return all images, without labels.

        Args:
            known: Range of pixels that a model was trained on.

        Raises:
            DataError: the file cannot be read, or holds no images.
        """
        names = self.names()
        return self._images([name for name in names if meaning(name).is_images] or names, known)

    def _images(self, names: Collection[str], known: PixelRange) -> ArrayImages:
        parts = [(name, _batch(array)) for name, array in self.read(names).items()]
        # Of several arrays those with the shape of images; one alone has the reason why it is none.
        likely = [part for part in parts if part[1].ndim > 2 and part[1].size] or parts[:1]
        if not likely:
            raise DataError(f"{self.location}: holds no arrays. Needed: images. Save them in it, as x.")
        return _decoded(likely, NO_WISHES, self.location, known)


class NpzSource(ArraySource):
    """Arrays in a .npz file."""

    def digest(self) -> str:
        """Return the hash of the central directory: a .npz is a zip archive with a CRC for each array."""
        return directory_digest(self.path)

    def names(self) -> list[str]:
        with self._open() as file:
            return list(file.files)

    def read(self, names: Collection[str]) -> dict[str, Array]:
        with self._open() as file:
            self._require_memory(file.zip, names)
            return {name: self._read(file, name) for name in names}

    def _read(self, file: Any, name: str) -> Array:
        try:
            return np.asarray(file[name])
        except ValueError as error:
            raise _objects(self.location, name, error) or error from error

    @contextmanager
    def _open(self) -> Iterator[Any]:
        if not zipfile.is_zipfile(self.path):  # NumPy would take it for a pickle
            raise damaged(self.location, "it has no central directory")
        try:
            with np.load(self.path, allow_pickle=False) as file:
                yield file
        except (
            *(OSError, ValueError, EOFError, MemoryError, NotImplementedError, RuntimeError),
            *(zlib.error, zipfile.BadZipFile),
        ) as error:
            raise damaged(self.location, one_line(error)) from error

    def _require_memory(self, archive: zipfile.ZipFile, names: Collection[str]) -> None:
        sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()}
        needed, free = sum(sizes[name] for name in names), psutil.virtual_memory().available
        if needed > free:
            raise DataError(
                f"{self.location}: its arrays take {needed / 1e9:,.1f} GB of memory. Allowed: the "
                f"{free / 1e9:,.1f} GB that are free. Save them as .npy files in one folder, or fewer images."
            )


class NpySource(ArraySource):
    """Arrays in the .npy files of a folder, which is given itself or by one of them."""

    @property
    def name(self) -> str:
        return self.path.name if self.path.is_dir() else self.path.parent.name

    def digest(self) -> str:
        """Return a hash of the name, size and time of each file, and of some bytes from its middle."""
        found = blake2b(digest_size=16)
        for name in self.names():
            try:
                status = self._files[name].stat()
                middle = read_file(str(self._files[name]), _SAMPLE_BYTES, status.st_size // 2)
            except OSError as error:
                raise self._broken(name, error) from error
            found.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
            found.update(middle)
        return found.hexdigest()

    def names(self) -> list[str]:
        """Return the names of the files; beside a given file those that may belong to it."""
        if self.path.is_dir():
            return list(self._files)
        split, word = own = meaning(self.path.stem)
        if not (own.is_images or own.is_labels):
            return [self.path.stem]
        meanings = {name: meaning(name) for name in self._files}
        return [
            name
            for name, other in meanings.items()
            if (other.split == NO_SPLIT) == (split == NO_SPLIT)
            and (other.word == word or not (other.is_images and own.is_images))
        ]

    def read(self, names: Collection[str]) -> dict[str, Array]:
        return {name: self._read(name) for name in names}

    def listing(self, options: DataOptions = NO_WISHES) -> Listing:
        if not any(meaning(name).is_labels for name in self.names()):
            raise DataError(
                f"{self.location}: images without labels. Needed: x.npy and y.npy, images.npy and "
                f"labels.npy, or x_train.npy and y_train.npy in one folder; or all in one .npz. "
                f"Save the labels too."
            )
        return super().listing(options)

    def images(self, known: PixelRange = FULL_RANGE) -> ArrayImages:
        return super().images(known) if self.path.is_dir() else self._images([self.path.stem], known)

    def _read(self, name: str) -> Array:
        try:
            return np.asarray(np.load(self._files[name], mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise _objects(self.location, name, error) or self._broken(name, error) from error

    @cached_property
    def _files(self) -> dict[str, Path]:
        folder = self.path if self.path.is_dir() else self.path.parent
        return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".npy"}

    def _broken(self, name: str, error: Exception) -> DataError:
        return DataError(
            f"{self.location}: {printable(name)}.npy is no array file, or only a part of one "
            f"({one_line(error)[:100]}). Allowed: a whole .npy. Save it again with np.save."
        )


def _decoded(
    parts: Sequence[tuple[str, Array]], options: DataOptions, location: str, known: PixelRange = FULL_RANGE
) -> ArrayImages:
    """Return the images of arrays, the first of which is that of the training images."""
    named = [Images(printable(name), array, place == 0) for place, (name, array) in enumerate(parts)]
    pixels, notes, pixel_range = bytes_of(named, options.data_format, location, known)
    return ArrayImages(
        [f"{images.name}[{index}]" for images in named for index in range(len(images.pixels))],
        [image for part in pixels for image in part],
        notes,
        pixel_range,
    )


def is_array_folder(folder: Path) -> bool:
    """Tell a folder of .npy files with images from one of image files."""
    found = False
    with suppress(OSError), os.scandir(folder) as entries:  # its source gives the reason
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122 - a Path costs more, once a file
            if suffix.lower() == ".npy":
                found = found or meaning(stem).is_images
            elif not stem.startswith(".") and (kind_of(entry.name) == "image" or entry.is_dir()):
                return False
    return found


def open_reader() -> AbstractContextManager[Reader]:
    """Open the reader of images in memory, which may be of any number of channels."""
    return nullcontext(_as_image)


def _as_image(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 and pixels.ndim == 3 else pixels)


def _batch(array: Array) -> Array:
    """Return one image with colours, (height, width, channels), as a batch of one."""
    return array[None] if array.ndim == 3 and array.shape[2] in (3, 4) else array


def _objects(location: str, name: str, error: ValueError | OSError | EOFError) -> DataError | None:
    """Return the error for an array of Python objects, None for other errors."""
    if "Object arrays" not in str(error) and "Python objects" not in str(error):
        return None
    named = printable(name)
    remedy = f"Save {named}.astype(str) where it holds strings."
    if meaning(name).is_images:
        remedy = (
            "Images of different sizes have no array: save them as files in class folders, or resize them."
        )
    return DataError(
        f"{location}: {named} holds Python objects (dtype=object), which could run code when loaded. "
        f"Allowed: arrays of numbers or strings. {remedy}"
    )


def _not_used(options: DataOptions) -> list[str]:
    unused = [option_name(name) for name in OF_FILES if getattr(options, name)]
    return [f"{', '.join(unused)} not used: images and labels are in arrays"] if unused else []
