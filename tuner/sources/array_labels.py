"""Classes from arrays of labels: numbers, strings, true and false, or one column a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tuner.errors import DataError
from tuner.path_names import printable
from tuner.units import listed

_ALLOWED = (
    "Allowed: for each image one whole number, string or truth value, of shape (n,) or (n, 1), or one-hot "
    "rows of shape (n, classes)"
)
_BOOL = "true and false"


class Labels(NamedTuple):
    """The labels of some images, as in the file."""

    name: str
    values: npt.NDArray[Any]
    num_images: int


class ClassNames(NamedTuple):
    """An array of class names."""

    name: str
    values: npt.NDArray[Any]


class Classes(NamedTuple):
    """Classes in alphabetical order, and the class of each image."""

    names: tuple[str, ...]
    labels: npt.NDArray[np.int32]
    notes: tuple[str, ...]


class _Coded(NamedTuple):
    name: str
    coding: str
    values: npt.NDArray[Any]
    """Strings or whole numbers, shape (n,)."""


def classes_of(parts: Sequence[Labels], given: ClassNames | None, location: str) -> Classes:
    """Return the classes of all images.

    Numbers index the class names. Without them the numbers are the names, with leading zeros so that their
    order is the alphabetical one.

    Raises:
        DataError: an array holds no classes, the arrays are coded in different ways, or numbers are no
            indices of the class names.
    """
    coded = [_coded(part, location) for part in parts]
    for other in coded[1:]:
        if other.coding != coded[0].coding:
            raise DataError(
                f"{location}: {coded[0].name} holds {coded[0].coding}, {other.name} {other.coding}. "
                f"All splits need the same. Convert one of them."
            )
    values, inverse = np.unique(np.concatenate([part.values for part in coded]), return_inverse=True)
    notes = []
    if values.dtype.kind == "U":
        names = values.tolist()
        if given is not None:
            notes.append(f"{given.name} not used, as {coded[0].name} holds names")
    else:
        if values[0] < 0:
            _require_signs(values, coded, location)
            notes.append(f"{', '.join(part.name for part in coded)}: -1 and 1 are two classes")
        names = _names(values, coded[0], given, sum(part.num_images for part in parts), location, notes)
    names = [printable(name) for name in names]
    rank = np.argsort(np.argsort(np.array(names)))  # old label -> place in alphabetical order
    return Classes(tuple(sorted(names)), rank[inverse.reshape(-1)].astype(np.int32), tuple(notes))


def _coded(part: Labels, location: str) -> _Coded:
    """Return labels of one value an image."""
    name, y = part.name, part.values
    if y.ndim == 2 and len(y) == part.num_images and y.shape[1] > 1 and y.dtype.kind in "biuf":
        return _Coded(name, f"one-hot rows of {y.shape[1]}", _columns(part, location))
    if y.size != part.num_images or y.dtype.kind not in "biufUS":
        raise _refused(part, location, "Convert it.")
    y = y.reshape(-1)
    if y.dtype.kind == "S":
        y = _decoded(y)
    if y.dtype.kind == "U":
        return _Coded(name, "strings", y)
    if y.dtype.kind == "f":
        odd = y[~(np.isfinite(y) & (y == np.rint(y)))]
        if odd.size:
            remedy = "tuner finds classes, not measures: make classes of them, as with np.digitize."
            raise _refused(part, location, remedy, f"holds {odd[0]:g}, which is no class")
    return _Coded(name, _BOOL if y.dtype.kind == "b" else "numbers", y.astype(np.int64))


def _columns(part: Labels, location: str) -> npt.NDArray[np.int64]:
    """Return the column that is 1 in each row."""
    name, y = part.name, part.values
    binary = bool(((y == 0) | (y == 1)).all())
    if binary and bool((np.count_nonzero(y, axis=1) == 1).all()):
        return np.asarray(y.argmax(axis=1), np.int64)
    if binary:
        raise _refused(
            part, location, "Leave out the other images.", "marks several classes of an image, or none"
        )
    if y.dtype.kind == "f" and np.allclose(y.sum(axis=1), 1, atol=1e-3):
        raise _refused(part, location, f"Save {name}.argmax(axis=1).", "holds shares of classes")
    raise _refused(part, location, "Convert it.")


def _require_signs(values: npt.NDArray[Any], coded: Sequence[_Coded], location: str) -> None:
    if not set(values.tolist()) <= {-1, 1}:
        name = next(part.name for part in coded if part.values.min() == values[0])
        raise DataError(
            f"{location}: a label of {name} is {values[0]}, beside {values[-1]}. "
            f"{_ALLOWED}; negative ones only as -1 and 1. Correct it, or leave out unlabelled images."
        )


def _names(
    values: npt.NDArray[Any],
    first: _Coded,
    given: ClassNames | None,
    num_images: int,
    location: str,
    notes: list[str],
) -> list[str]:
    """Return the class name of each different number, in ascending order; add to the notes."""
    if given is None or _is_one_an_image(given, values, num_images):
        if given is not None:
            notes.append(
                f"{given.name} not used: it holds {given.values.size:,} values for {len(values):,} classes"
            )
        if first.coding == _BOOL:
            return [str(bool(value)) for value in values]
        width = len(str(values[-1]))
        return [f"{value:0{width}d}" if values[0] >= 0 else str(value) for value in values]
    raw = given.values.reshape(-1)
    known = (_decoded(raw) if raw.dtype.kind == "S" else raw.astype(str)).tolist()
    indices = (values + 1) // 2 if values[0] < 0 else values
    if indices[-1] >= len(known) or len(set(known)) < len(known):
        raise DataError(
            f"{location}: labels run from {values[0]} to {values[-1]} but {given.name} holds "
            f"{len(set(known))} different names. Allowed: 0 to {len(known) - 1}. Correct either."
        )
    if empty := [known[index] for index in sorted(set(range(len(known))) - set(indices.tolist()))]:
        notes.append(f"classes of {given.name} without images: {listed(empty)}")
    return [known[index] for index in indices]


def _decoded(names: npt.NDArray[np.bytes_]) -> npt.NDArray[np.str_]:
    return np.char.decode(names, "utf-8", "surrogateescape")


def _is_one_an_image(given: ClassNames, values: npt.NDArray[Any], num_images: int) -> bool:
    """Tell names of files from names of classes."""
    return given.values.size == num_images > max(int(values[-1]) + 1, len(values))


def _refused(part: Labels, location: str, remedy: str, problem: str | None = None) -> DataError:
    y = part.values
    problem = problem or f"has shape {y.shape} and dtype {y.dtype} for {part.num_images:,} images"
    return DataError(f"{location}: {part.name} {problem}. {_ALLOWED}. {remedy}")
