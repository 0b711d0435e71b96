from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tuner.data_options import DataOptions
from tuner.errors import DataError
from tuner.sources.arrays import NpySource, NpzSource
from tuner.sources.listing import NO_SPLIT
from tuner.sources.opening import open_source

from .array_files import X, Y, pixels, save, source
from .refusals import refusal


def test_splits_are_taken_from_the_names_of_the_arrays(tmp_path: Path) -> None:
    npz = source(tmp_path, x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2], x_val=X[2:], y_val=Y[2:])
    listing = npz.listing()
    assert listing.splits.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert listing.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert listing.paths[4] == "x_val[0]"
    assert listing.class_names == ("0", "1")
    np.testing.assert_array_equal(pixels(npz)[:4], X)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        *(("x", "y"), ("X", "y"), ("images", "labels"), ("image", "label"), ("IMAGES", "Labels")),
        *(("data", "target"), ("data", "labels"), ("arr_0", "arr_1")),
    ],
)
def test_arrays_without_a_split_are_accepted(tmp_path: Path, x: str, y: str) -> None:
    listing = source(tmp_path, **{x: X, y: Y}).listing()
    assert set(listing.splits.tolist()) == {NO_SPLIT}
    assert listing.paths[3] == f"{x}[3]"
    assert listing.notes == ()


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        (("X_train", "y_train"), ("X_val", "y_val"), ("X_test", "y_test")),
        (("train_images", "train_labels"), ("val_images", "val_labels"), ("test_images", "test_labels")),
        (("x_train", "y_train"), ("x_valid", "y_valid"), ("x_test", "y_test")),
        (("trainX", "trainY"), ("devX", "devY"), ("testX", "testY")),
        (("train_set_x", "train_set_y"), ("xvalidation", "yvalidation"), ("XTEST", "YTEST")),
    ],
)
def test_splits_have_names_of_many_spellings(
    tmp_path: Path, train: tuple[str, str], validation: tuple[str, str], test: tuple[str, str]
) -> None:
    arrays = {
        name: array for pair in (train, validation, test) for name, array in zip(pair, (X, Y), strict=True)
    }
    listing = source(tmp_path, **arrays).listing()
    assert listing.splits.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert [listing.paths[index] for index in (0, 4, 8)] == [
        f"{pair[0]}[0]" for pair in (train, validation, test)
    ]


def test_splits_count_before_the_whole_and_the_rest_is_named(tmp_path: Path) -> None:
    listing = source(tmp_path, x_train=X, y_train=Y, x=X, y=Y, weights=Y).listing()
    assert set(listing.splits.tolist()) == {0}
    (note,) = listing.notes
    assert "not used: weights, x, y" in note


def test_images_beside_a_test_split_are_training_images_and_this_is_said(tmp_path: Path) -> None:
    listing = source(tmp_path, x=X, y=Y, x_test=X, y_test=Y).listing()
    assert listing.splits.tolist() == [0] * 4 + [2] * 4
    (note,) = listing.notes
    assert all(word in note for word in ("x is taken", "training", "x_test"))


def test_test_images_without_labels_are_left_out_and_offered_for_prediction(tmp_path: Path) -> None:
    listing = source(tmp_path, x_train=X, y_train=Y, x_test=X).listing()
    assert len(listing.paths) == 4
    (note,) = listing.notes
    assert all(word in note for word in ("x_test", "left out", "tuner predict", str(tmp_path / "d.npz")))


def test_small_classes_are_left_out_on_request(tmp_path: Path) -> None:
    listing = source(tmp_path, x=X, y=np.array([2, 0, 1, 2])).listing(DataOptions(min_class_images=2))
    assert (listing.class_names, listing.paths) == (("2",), ["x[0]", "x[3]"])
    assert "0 (1), 1 (1)" in listing.notes[0]


def test_options_for_files_are_said_to_have_no_use(tmp_path: Path) -> None:
    listing = source(tmp_path, x=X, y=Y).listing(DataOptions(label_column="species", exclude=("*.png",)))
    assert all(word in listing.notes[0] for word in ("--label-column", "--exclude", "not used"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X, "b": Y}, "holds a, b"),
        ({"x_train": X}, "lacks y_train"),
        ({"x_test": X, "y_test": Y}, "holds x_test, y_test"),
        ({"y_train": Y}, "lacks x_train"),
        ({"train_images": X}, "lacks train_labels"),
        ({"x": X, "y": np.array([{}, {}, {}, {}])}, "dtype=object"),
        (
            {"x": np.array([X[0], X[1, :4], X[2], X[3]], object), "y": Y},
            "x holds Python objects.*different sizes",
        ),
    ],
)
def test_arrays_that_cannot_be_found_or_loaded_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        source(tmp_path, **arrays).listing()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(b"rubbish")
    with refusal(DataError, tmp_path / "d.npz", "no zip archive"):
        NpzSource(tmp_path / "d.npz").listing()


@pytest.mark.parametrize("given", ["", "images.npy"])
def test_files_of_arrays_in_one_folder_are_a_data_set(tmp_path: Path, given: str) -> None:
    found = open_source(str(save(tmp_path, images=X, labels=Y) / given))
    assert isinstance(found, NpySource)
    assert found.name == tmp_path.name
    listing = found.listing()
    assert (listing.paths[3], listing.labels.tolist()) == ("images[3]", Y.tolist())


def test_files_of_arrays_have_splits_too(tmp_path: Path) -> None:
    listing = open_source(str(save(tmp_path, X_train=X, y_train=Y, X_test=X, y_test=Y))).listing()
    assert listing.splits.tolist() == [0] * 4 + [2] * 4


def test_a_given_file_counts_before_others_in_its_folder(tmp_path: Path) -> None:
    folder = save(tmp_path, x_train=X, y_train=Y, x=X, y=Y, images=X, labels=Y)
    assert open_source(str(folder / "images.npy")).listing().paths[0] == "images[0]"
    assert open_source(str(folder / "x_train.npy")).listing().paths[0] == "x_train[0]"


@pytest.mark.parametrize("name", ["x", "pictures_of_mine"])
def test_a_file_of_images_alone_is_told_to_lack_labels(tmp_path: Path, name: str) -> None:
    path = save(tmp_path, **{name: X}) / f"{name}.npy"
    with refusal(DataError, path, "labels", "y.npy"):
        open_source(str(path)).listing()


def test_a_file_that_is_no_array_is_refused(tmp_path: Path) -> None:
    (save(tmp_path, y=Y) / "x.npy").write_bytes(b"rubbish")
    with refusal(DataError, "x.npy", "no array file"):
        open_source(str(tmp_path)).listing()


def test_a_file_of_arrays_beside_class_folders_is_no_data_set(tmp_path: Path) -> None:
    (save(tmp_path, x=X) / "cats").mkdir()
    assert not isinstance(open_source(str(tmp_path)), NpySource)


def test_a_changed_file_of_arrays_has_another_digest(tmp_path: Path) -> None:
    before = open_source(str(save(tmp_path, x=X, y=Y))).digest()
    assert open_source(str(save(tmp_path, y=1 - Y))).digest() != before


def test_more_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100))
    with refusal(DataError, tmp_path, "memory"):
        source(tmp_path, x=X, y=Y).listing()
