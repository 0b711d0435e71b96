import pytest

from tuner.data.layout import Place, place_folders
from tuner.errors import DataError

from .refusals import refusal


def test_folders_are_classes_where_no_split_is_named() -> None:
    assert place_folders({"REAL", "FAKE"}, "d") == {"REAL": Place(None, "REAL"), "FAKE": Place(None, "FAKE")}


@pytest.mark.parametrize("prefix", ["", "wrapper/", "real_vs_fake/real-vs-fake/"])
def test_wrapper_folders_may_lie_above_the_splits(prefix: str) -> None:
    folders = {f"{prefix}{split}/{name}" for split in ("train", "test") for name in ("real", "fake")}
    assert place_folders(folders, "d") == {
        folder: Place(folder.split("/")[-2], folder.split("/")[-1]) for folder in folders
    }


def test_wrapper_folders_may_lie_between_split_and_class() -> None:
    places = place_folders({"train/train/a", "train/train/b", "test/test/a", "test/test/b"}, "d")
    assert places["test/test/b"] == Place("test", "b")


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("Validation", "validation"),
        ("VAL", "validation"),
        ("valid", "validation"),
        ("dev", "validation"),
        ("Testing", "test"),
    ],
)
def test_split_names_are_known_in_many_spellings(folder: str, split: str) -> None:
    places = place_folders({"Training/a", "Training/b", f"{folder}/a", f"{folder}/b"}, "d")
    assert places[f"{folder}/a"] == Place(split, "a")
    assert places["Training/a"] == Place("train", "a")


def test_images_may_lie_in_subfolders_of_their_class() -> None:
    places = place_folders({"train/a/x/y", "train/a", "train/b", "test/a", "test/b/z"}, "d")
    assert places["train/a/x/y"] == Place("train", "a")
    assert places["test/b/z"] == Place("test", "b")


def test_train_is_a_class_among_other_vehicles() -> None:
    assert place_folders({"train", "car", "boat"}, "d")["train"] == Place(None, "train")


def test_test_is_a_class_beside_control() -> None:
    assert place_folders({"test", "control"}, "d")["test"] == Place(None, "test")


def test_a_lone_split_folder_is_a_wrapper() -> None:
    assert place_folders({"train/a", "train/b"}, "d")["train/a"] == Place(None, "a")


def test_one_class_has_a_place_too() -> None:
    assert place_folders({"REAL"}, "d") == {"REAL": Place(None, "REAL")}
    assert place_folders({"train/REAL", "test/REAL"}, "d")["test/REAL"] == Place("test", "REAL")


def test_folders_above_the_classes_have_no_place() -> None:
    places = place_folders({"", "train", "train/a", "train/b", "test/a", "test/b"}, "d")
    assert "" not in places
    assert "train" not in places


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        ({""}, ("no class folder", "<class>")),
        ({"train/a", "train/b", "test/a"}, ("'b'", "class", "not in test")),
        ({"train/REAL", "train/FAKE", "test/Real", "test/Fake"}, ("'FAKE', 'REAL'", "class", "not in test")),
        ({"train", "test"}, ("'test'", "no class folders")),
        ({"train/a", "train/b", "test"}, ("'test'", "no class folders")),
        ({"val/a", "val/b", "test/a", "test/b"}, ("no 'train'", "'test'", "'val'")),
        ({"train/a", "train/b", "test/a", "test/b", "extra"}, ("'extra'", "'train'", "no split")),
        ({"train/a", "train/b", "val/a", "val/b", "dev/a", "dev/b"}, ("'val'", "'dev'", "validation")),
        ({"a/train", "a/test", "b/train", "b/test"}, ("splits", "inside 'a'")),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(folders: set[str], parts: tuple[str, ...]) -> None:
    with refusal(DataError, "/data/d.zip", *parts):
        place_folders(folders, "/data/d.zip")
