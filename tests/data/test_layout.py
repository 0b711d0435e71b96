import pytest

from tuner.data.layout import Place, place_folders
from tuner.errors import DataError

from .refusals import refusal


def places_of(folders, location="d", splits=None):
    return place_folders(dict.fromkeys(folders, 1), location, splits or {})[0]


def test_folders_are_classes_where_no_split_is_named() -> None:
    assert places_of({"REAL", "FAKE"}, "d") == {"REAL": Place("REAL"), "FAKE": Place("FAKE")}


@pytest.mark.parametrize("prefix", ["", "wrapper/", "real_vs_fake/real-vs-fake/"])
def test_wrapper_folders_may_lie_above_the_splits(prefix: str) -> None:
    folders = {f"{prefix}{split}/{name}" for split in ("train", "test") for name in ("real", "fake")}
    assert places_of(folders, "d") == {
        folder: Place(folder.split("/")[-1], folder.split("/")[-2]) for folder in folders
    }


def test_wrapper_folders_may_lie_between_split_and_class() -> None:
    places = places_of({"train/train/a", "train/train/b", "test/test/a", "test/test/b"}, "d")
    assert places["test/test/b"] == Place("b", "test")


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
    places = places_of({"Training/a", "Training/b", f"{folder}/a", f"{folder}/b"}, "d")
    assert places[f"{folder}/a"] == Place("a", split)
    assert places["Training/a"] == Place("a", "train")


def test_images_may_lie_in_subfolders_of_their_class() -> None:
    places = places_of({"train/a/x/y", "train/a", "train/b", "test/a", "test/b/z"}, "d")
    assert places["train/a/x/y"] == Place("a", "train")
    assert places["test/b/z"] == Place("b", "test")


def test_train_is_a_class_among_other_vehicles() -> None:
    assert places_of({"train", "car", "boat"}, "d")["train"] == Place("train")


def test_test_is_a_class_beside_control() -> None:
    assert places_of({"test", "control"}, "d")["test"] == Place("test")


def test_a_lone_split_folder_is_a_wrapper() -> None:
    assert places_of({"train/a", "train/b"}, "d")["train/a"] == Place("a")


def test_one_class_has_a_place_too() -> None:
    assert places_of({"REAL"}, "d") == {"REAL": Place("REAL")}
    assert places_of({"train/REAL", "test/REAL"}, "d")["test/REAL"] == Place("REAL", "test")


def test_folders_above_the_classes_have_no_place() -> None:
    places = places_of({"", "train", "train/a", "train/b", "test/a", "test/b"}, "d")
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
        places_of(folders, "/data/d.zip")
