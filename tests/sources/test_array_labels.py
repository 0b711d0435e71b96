from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.errors import DataError

from .array_files import X, Y, source


@pytest.mark.parametrize(
    "y",
    [
        *(Y[:, None], Y[None], Y.astype(np.float32), Y.astype(np.uint8), np.eye(2)[Y]),
        *(np.eye(2, dtype=int)[Y], np.eye(2, dtype=bool)[Y]),
    ],
)
def test_labels_of_any_usual_form_are_accepted(tmp_path: Path, y: np.ndarray) -> None:
    listing = source(tmp_path, x=X, y=y).listing()
    assert (listing.class_names, listing.labels.tolist()) == (("0", "1"), Y.tolist())


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (Y.astype(bool), ("False", "True")),
        (Y * 2 - 1, ("-1", "1")),
        (np.array([b"bee", b"cat"])[Y], ("bee", "cat")),
        (np.array(["bee", "caf\u00e9"])[Y][:, None], ("bee", "caf\u00e9")),
    ],
)
def test_labels_that_are_no_indices_name_the_classes(
    tmp_path: Path, y: np.ndarray, names: tuple[str, str]
) -> None:
    listing = source(tmp_path, x=X, y=y).listing()
    assert (listing.class_names, listing.labels.tolist()) == (names, Y.tolist())


def test_labels_of_minus_one_are_said(tmp_path: Path) -> None:
    (note,) = source(tmp_path, x=X, y=Y * 2 - 1).listing().notes
    assert "y: -1 and 1" in note


@pytest.mark.parametrize("name", ["class_names", "classes", "label_names", "names", "CLASSES"])
@pytest.mark.parametrize("y", [Y, Y * 2 - 1, Y.astype(bool), np.eye(2)[Y]])
def test_class_names_have_several_names(tmp_path: Path, name: str, y: np.ndarray) -> None:
    listing = source(tmp_path, x=X, y=y, **{name: np.array([b"real", b"fake"])}).listing()
    assert (listing.class_names, listing.labels.tolist()) == (("fake", "real"), (1 - Y).tolist())


def test_one_name_an_image_is_no_class_name(tmp_path: Path) -> None:
    listing = source(tmp_path, x=X, y=Y, names=np.array(["a", "b", "c", "d"])).listing()
    assert listing.class_names == ("0", "1")
    assert "names not used" in listing.notes[0]


def test_class_names_without_images_are_said(tmp_path: Path) -> None:
    listing = source(tmp_path, x=X, y=Y * 2, class_names=np.array(["ant", "bee", "cat"])).listing()
    assert listing.class_names == ("ant", "cat")
    assert "bee" in listing.notes[0]


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
        ({"x": X[0], "y": Y}, r"\by\b.*\(4,\).*\b8 images"),
        ({"x": X, "y": Y[:3]}, r"\by\b.*\(3,\).*\b4 images"),
        ({"x": X, "y": np.ones((4, 4))}, r"\by\b.*several classes"),
        ({"x": X, "y": np.full((4, 2), 0.5)}, r"\by\b.*y\.argmax\(axis=1\)"),
        ({"x": X, "y": Y + 0.37}, r"\by holds 0\.37.*no class"),
        ({"x": X, "y": np.array([0, 1, 0, np.nan])}, r"\by holds nan"),
        ({"x": X, "y": Y - 1}, r"label\D* -1\b"),
        ({"x": X, "y": Y, "class_names": np.array(["a"])}, r"labels\D+0 to 1\b.*class_names"),
        (
            {"x_train": X, "y_train": np.eye(2)[Y], "x_test": X, "y_test": Y},
            "y_train holds one-hot.*y_test numbers",
        ),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y * 2 - 1}, "y_test is -1"),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": np.array(list("abab"))},
            "y_train holds numbers, y_test strings",
        ),
    ],
)
def test_labels_that_cannot_be_used_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        source(tmp_path, **arrays).listing()
    assert "\n" not in str(caught.value)
