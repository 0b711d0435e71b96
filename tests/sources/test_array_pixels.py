from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.data.dataset import load_dataset
from tuner.data_options import DataOptions
from tuner.errors import DataError
from tuner.sources.arrays import NpzSource

from .array_files import X, Y, pixels, source
from .refusals import refusal


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


@pytest.mark.parametrize(
    ("x", "note"),
    [
        *((X.astype(kind), None) for kind in (np.int16, np.int32, np.int64, np.float64)),
        ((X / 255).astype(np.float16), "0..1"),
        (np.where(X == 255, 1.0000001, X / 255), "0..1"),
        (X / 127.5 - 1, "-1..1"),
        (X / 255 * 1.2, "1.2"),
        (X * np.uint16(16), "12 bits"),
        (X * np.int32(4), "10 bits"),
        (X * np.uint16(64), "14 bits"),
        (X.astype(np.uint16), "16 bits"),
        (np.where(X == 3, 3.2, X), "rounded"),
    ],
)
def test_pixels_of_any_usual_range_become_bytes_and_changes_are_said(
    tmp_path: Path, x: np.ndarray, note: str | None
) -> None:
    npz = source(tmp_path, x=x, y=Y)
    np.testing.assert_allclose(pixels(npz).astype(int), X, atol=1)
    assert pixels(npz).max() > 253
    assert [bool(note and note in found) for found in npz.listing().notes] == [True] * bool(note)


@pytest.mark.parametrize("kind", [np.uint8, bool, np.float32])
def test_black_and_white_images_of_zeros_and_ones_are_scaled(tmp_path: Path, kind: type) -> None:
    npz = source(tmp_path, x=(X % 2).astype(kind), y=Y)
    np.testing.assert_array_equal(pixels(npz), X % 2 * 255)
    assert "0 to 1" in npz.listing().notes[0]


def test_one_depth_holds_for_all_splits(tmp_path: Path) -> None:
    npz = source(tmp_path, x_train=X * np.uint16(16), y_train=Y, x_test=X[:1] * np.uint16(4), y_test=Y[:1])
    np.testing.assert_allclose(pixels(npz)[4], X[0] / 4, atol=1)


def test_channels_may_come_first(tmp_path: Path) -> None:
    npz = source(tmp_path, x=X.transpose(0, 3, 1, 2), y=Y)
    np.testing.assert_array_equal(pixels(npz), X)
    assert "channels of x" in npz.listing().notes[0]


def test_the_user_says_where_the_channels_are_if_the_shape_does_not(tmp_path: Path) -> None:
    npz = source(tmp_path, x=X[:, :3], y=Y)
    first, last = (npz.listing(DataOptions(data_format=form)) for form in ("channels_first", "channels_last"))
    assert first.handles[0].shape == (8, 3, 3)
    assert last.handles[0].shape == (3, 8, 3)


def test_a_data_format_that_the_shape_excludes_is_refused(tmp_path: Path) -> None:
    with refusal(DataError, "x", "(4, 8, 8, 3)", "--data-format channels_first"):
        source(tmp_path, x=X, y=Y).listing(DataOptions(data_format="channels_first"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X.astype(complex), "y": Y}, "dtype complex128"),
        ({"x": X.astype(np.int16) - 1, "y": Y}, r"\bx from -1 to 254\b"),
        ({"x": X * np.int32(1000), "y": Y}, r"\bx from 0 to 255000\b"),
        ({"x": X.reshape(4, -1), "y": Y}, r"\(4, 192\).* x\.reshape\(-1, 8, 8, 3\)"),
        ({"x": X[..., 0].reshape(4, -1), "y": Y}, r"\(4, 64\).* x\.reshape\(-1, 8, 8\)"),
        ({"x": X[:, :3], "y": Y}, r"\(4, 3, 8, 3\).*--data-format"),
        ({"x": X[..., :2], "y": Y}, r"\bx\b.*\(4, 8, 8, 2\)"),
        ({"x": X[:0], "y": Y[:0]}, r"\bx\b.*\(0, 8, 8, 3\)"),
        ({"x": X / 127.5 - 1.5, "y": Y}, r"\bx from -1\.5 to 0\.5\b.*standardised"),
        ({"x": X / 255 - 0.5, "y": Y}, r"\bx from -0\.5 to 0\.5\b.*mean"),
        ({"x": X * 1.1 - 9, "y": Y}, r"\bx from -9 to 271\.5\b.*np\.clip"),
        ({"x": np.where(X, X, np.inf), "y": Y}, r"\bx from 1 to inf\b"),
        (
            {"x_train": X / 255, "y_train": Y, "x_test": X, "y_test": Y},
            "x_train from 0 to 1, of x_test from 0 to 255",
        ),
        ({"x_train": X / 255.0, "y_train": Y, "x_test": X * 1.0, "y_test": Y}, "x_train.*x_test"),
        ({"x_train": X, "y_train": Y, "x_test": X / 255, "y_test": Y}, "x_train.*x_test|x_test.*x_train"),
        ({"x_train": X // 255, "y_train": Y, "x_test": X, "y_test": Y}, "x_train from 0 to 1, of x_test"),
        ({"x": X * np.float32(np.nan), "y": Y}, r"\bx\b.*\bnan to nan\b"),
    ],
)
def test_pixels_that_cannot_be_used_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        source(tmp_path, **arrays).listing()
    assert "\n" not in str(caught.value)


def test_a_data_set_keeps_the_range_that_became_bytes_for_later_predictions(tmp_path: Path) -> None:
    path = source(tmp_path, x=X * np.uint16(16), y=Y).path
    known = load_dataset(str(path), labelled_only=True).pixel_range
    assert known.integer_max == 4095
    (image, *_) = NpzSource(path).images(known).handles
    dark = source(tmp_path, x=X[:1] * np.uint16(2)).images(known).handles[0]
    np.testing.assert_allclose(dark, image / 8, atol=1)
