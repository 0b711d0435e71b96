from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.data.listing import NO_SPLIT
from tuner.data.npz import NpzSource
from tuner.errors import DataError

from .refusals import refusal

X = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
Y = np.array([0, 1, 0, 1])


def source(folder: Path, **arrays: Any) -> NpzSource:
    np.savez(folder / "d.npz", **arrays)
    return NpzSource(folder / "d.npz")


def pixels(npz: NpzSource) -> np.ndarray:
    listing = npz.listing()
    with listing.open_reader() as read:
        return np.stack([np.asarray(read(handle)) for handle in listing.handles])


def test_splits_are_taken_from_the_names_of_the_arrays(tmp_path: Path) -> None:
    npz = source(tmp_path, x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2], x_val=X[2:], y_val=Y[2:])
    listing = npz.listing()
    assert listing.splits.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert listing.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert listing.paths[4] == "x_val[0]"
    assert listing.class_names == ("0", "1")
    np.testing.assert_array_equal(pixels(npz)[:4], X)


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("images", "labels")])
def test_arrays_without_a_split_are_accepted(tmp_path: Path, x: str, y: str) -> None:
    assert set(source(tmp_path, **{x: X, y: Y}).listing().splits.tolist()) == {NO_SPLIT}


def test_a_column_of_labels_is_accepted(tmp_path: Path) -> None:
    assert source(tmp_path, x=X, y=Y[:, None]).listing().labels.tolist() == Y.tolist()


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 8, 8, 1)])
def test_grey_images_are_accepted_with_and_without_a_channel(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = X[..., 0].reshape(shape)
    np.testing.assert_array_equal(pixels(source(tmp_path, x=x, y=Y)), X[..., 0])


def test_floats_up_to_one_are_scaled(tmp_path: Path) -> None:
    np.testing.assert_array_equal(pixels(source(tmp_path, x=(X / 255).astype(np.float32), y=Y)), X)


def test_one_scale_holds_for_all_splits(tmp_path: Path) -> None:
    dark = np.ones((2, 8, 8, 3), np.float32)
    npz = source(tmp_path, x_train=X.astype(np.float64), y_train=Y, x_test=dark, y_test=Y[:2])
    assert pixels(npz)[4:].max() == 1


def test_16_bit_integers_are_scaled(tmp_path: Path) -> None:
    np.testing.assert_array_equal(pixels(source(tmp_path, x=X.astype(np.uint16) * 257, y=Y)), X)


def test_names_index_labels_and_end_up_in_alphabetical_order(tmp_path: Path) -> None:
    listing = source(tmp_path, x=X, y=Y, class_names=np.array(["real", "fake"])).listing()
    assert listing.class_names == ("fake", "real")
    assert listing.labels.tolist() == [1, 0, 1, 0]


def test_strings_are_labels_too(tmp_path: Path) -> None:
    listing = source(tmp_path, x=X, y=np.array(["b", "a", "b", "c"])).listing()
    assert listing.class_names == ("a", "b", "c")
    assert listing.labels.tolist() == [1, 0, 1, 2]


def test_one_class_is_listed_too(tmp_path: Path) -> None:
    assert source(tmp_path, x=X, y=Y * 0).listing().class_names == ("0",)


def test_more_than_ten_numbers_stay_in_order(tmp_path: Path) -> None:
    listing = source(tmp_path, x=X, y=np.array([10, 2, 1, 2])).listing()
    assert listing.class_names == ("01", "02", "10")
    assert listing.labels.tolist() == [2, 1, 0, 1]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X, "b": Y}, "holds a, b"),
        ({"x_train": X}, "lacks y_train"),
        ({"x_test": X, "y_test": Y}, "holds x_test, y_test"),
        ({"x": X.astype(np.int32), "y": Y}, "dtype int32"),
        ({"x": X[0], "y": Y}, r"\by\b.*\(4,\).*\b8 images"),
        ({"x": X[..., :2], "y": Y}, r"\bx\b.*\(4, 8, 8, 2\)"),
        ({"x": X[:0], "y": Y[:0]}, r"\bx\b.*\(0, 8, 8, 3\)"),
        ({"x": X, "y": Y[:3]}, r"\by\b.*\(3,\).*\b4 images"),
        ({"x": X, "y": np.eye(4)}, r"\by\b.*\(4, 4\)"),
        ({"x": X, "y": Y - 1}, r"label\D* -1\b"),
        ({"x": X, "y": Y, "class_names": np.array(["a"])}, r"labels\D+0 to 1\b.*class_names"),
        ({"x": X * np.float32(2), "y": Y}, r"\bx\b.*\b0 to 510\b"),
        ({"x": X * np.float32(np.nan), "y": Y}, r"\bx\b.*\bnan to nan\b"),
        ({"x": X, "y": np.array([{}, {}, {}, {}])}, "dtype=object"),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": np.array(list("abab"))},
            "numbers.* split, strings",
        ),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        source(tmp_path, **arrays).listing()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(b"rubbish")
    with refusal(DataError, tmp_path / "d.npz", "no zip archive"):
        NpzSource(tmp_path / "d.npz").listing()
