import pytest

from tuner.data.dataset import load_dataset
from tuner.data_options import DataOptions
from tuner.errors import DataError
from tuner.sources.layout import place_folders
from tuner.sources.split_folders import Place

from .pictures import tree, write_folder
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
        ({"train", "test"}, ("'test'", "no class folders")),
        ({"val/a", "val/b", "test/a", "test/b"}, ("no 'train'", "'test'", "'val'")),
        (
            {"train/a", "train/b", "test/a", "test/b", "extra/a", "extra/b"},
            ("'extra'", "--splits", "--exclude"),
        ),
        ({"train/a", "train/b", "val/a", "val/b", "dev/a", "dev/b"}, ("'val'", "'dev'", "validation")),
        ({"a/train", "a/test", "b"}, ("splits", "inside 'a'")),
        ({"color/apple", "color/corn", "grey/apple", "grey/corn"}, ("'color', 'grey'", "variants")),
        ({"color/train/x", "color/test/x", "grey/train/x", "grey/test/x"}, ("'color', 'grey'", "variants")),
        ({"mnist/0", "mnist/1", "svhn/0", "svhn/1"}, ("'mnist', 'svhn'", "variants")),
        (
            {"train/a", "train/b", "val/a", "val/b", "test/a", "test/b", "eval/a", "eval/b"},
            ("'eval'", "--splits"),
        ),
        ({"train", "test", "more"}, ("'test'", "no class folders")),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(folders: set[str], parts: tuple[str, ...]) -> None:
    with refusal(DataError, "/data/d.zip", *parts):
        places_of(folders, "/data/d.zip")


def split_names_of(places):
    return {(place.split, place.class_name) for place in places.values()}


SPLIT_AND_CLASS = {("train", "a"), ("train", "b"), ("test", "a"), ("test", "b")}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train1", "test1"),
        ("mnist_png_training", "mnist_png_testing"),
        ("alphabet_train/alphabet_train", "alphabet_test/alphabet_test"),
        ("TrainSet", "TestSet"),
        ("train", "holdout"),
        ("Training images", "Test images"),
        ("DataTrain", "DataTest"),
    ],
)
def test_a_split_may_be_a_word_of_a_name(train, test):
    folders = {f"{split}/{name}" for split in (train, test) for name in "ab"}
    assert split_names_of(places_of(folders)) == SPLIT_AND_CLASS


def test_folders_without_labels_beside_the_splits_are_left_out_with_a_note():
    for other in ("seg_pred/seg_pred", "images to predict", "papers"):
        folders = dict.fromkeys(("seg_train/a", "seg_train/b", "seg_test/a", "seg_test/b"), 4) | {other: 3}
        places, notes = place_folders(folders, "d", {})
        assert split_names_of(places) == SPLIT_AND_CLASS
        assert any(other.partition("/")[0] in note and "3 images" in note for note in notes)


def test_a_test_folder_without_labels_is_left_out_with_a_note():
    places, notes = place_folders({"train/a": 4, "train/b": 4, "test": 9}, "d", {})
    assert split_names_of(places) == {("train", "a"), ("train", "b")}
    assert any("test" in note and "9 images" in note and "tuner predict" in note for note in notes)


def test_eval_takes_the_place_of_the_split_that_is_lacking():
    folders = {f"{split}/{name}" for split in ("train", "eval", "test") for name in "ab"}
    assert split_names_of(places_of(folders)) == SPLIT_AND_CLASS | {("validation", "a"), ("validation", "b")}


def test_the_user_names_the_splits():
    folders = {f"{split}/{name}" for split in ("first", "second") for name in "ab"}
    places = places_of(folders, splits={"first": "train", "second": "test"})
    assert split_names_of(places) == SPLIT_AND_CLASS


@pytest.mark.parametrize("classes", [("cat", "dog"), ("cat", "dog", "owl")])
def test_splits_may_lie_inside_the_classes(classes):
    places = places_of({f"{name}/{split}" for name in classes for split in ("train", "test")})
    assert places["dog/test"] == Place("dog", "test")
    assert split_names_of(places) == {(split, name) for split in ("train", "test") for name in classes}


def test_the_class_may_be_in_the_name_of_the_split():
    places = places_of({"trainA", "trainB", "testA", "testB"})
    assert split_names_of(places) == {(split, name) for split in ("train", "test") for name in "AB"}


def test_generators_with_splits_are_groups():
    folders = {
        f"{generator}/{split}/{name}"
        for generator in ("ADM", "BigGAN")
        for split in ("train", "val")
        for name in ("ai", "nature")
    }
    places = places_of(folders)
    assert places["ADM/val/ai"] == Place("ai", "validation", "ADM")
    assert {place.class_name for place in places.values()} == {"ai", "nature"}


def test_categories_with_real_and_generated_images_are_groups():
    folders = {
        f"test/{kind}/{name}" for kind in ("gan/car", "gan/cat", "dalle") for name in ("0_real", "1_fake")
    }
    folders |= {f"train/{kind}/{name}" for kind in ("car", "cat") for name in ("0_real", "1_fake")}
    places = places_of(folders)
    assert places["test/gan/car/1_fake"] == Place("1_fake", "test", "gan/car")
    assert places["test/dalle/0_real"] == Place("0_real", "test", "dalle")


def test_sources_of_a_class_are_groups():
    places, notes = place_folders(dict.fromkeys(("real/coco", "fake/sd15", "fake/mj"), 5), "d", {})
    assert places["fake/mj"] == Place("fake", None, "mj")
    assert any("fake 2" in note and "real 1" in note for note in notes)


@pytest.mark.parametrize("spelling", [("Fake", "Real"), ("FAKE", "real")])
def test_class_names_may_differ_between_splits_in_letter_case(spelling):
    folders = {"train/fake", "train/real", *(f"test/{name}" for name in spelling)}
    assert {place.class_name for place in places_of(folders).values()} == {"fake", "real"}


def test_class_names_may_differ_in_unicode_normalisation():
    places = places_of({"train/caf\u00e9", "train/tea", "test/cafe\u0301", "test/tea"})
    assert places["test/cafe\u0301"].class_name == "caf\u00e9"


def test_classes_that_differ_in_letter_case_within_a_split_are_two():
    assert {place.class_name for place in places_of({"Polish", "polish"}).values()} == {"Polish", "polish"}


def test_few_images_in_a_folder_of_documents_or_at_the_top_are_left_out_with_a_note():
    places, notes = place_folders({"": 1, "docs": 2, "a": 60, "b": 60}, "d", {})
    assert places.keys() == {"a", "b"}
    assert any("2 images" in note and "docs" in note for note in notes)
    assert any("1 image " in note for note in notes)


def test_a_class_may_have_the_name_of_a_folder_of_documents():
    assert place_folders({"paper": 50, "rock": 60, "scissors": 60}, "d", {})[0].keys() == {
        "paper",
        "rock",
        "scissors",
    }


def test_folders_that_look_like_variants_can_be_classes_by_their_paths(tmp_path):
    folder = write_folder(tmp_path, tree("benign/low", "benign/high", "sick/low", "sick/high", count=6))
    with refusal(DataError, "'benign', 'sick'", "--label-from '(benign|sick)/'"):
        load_dataset(str(folder))
    dataset = load_dataset(str(folder), DataOptions(label_from="(benign|sick)/"))
    assert dataset.class_names == ("benign", "sick")


def test_images_between_wrappers_are_left_out_with_a_note():
    places, notes = place_folders({"a": 1, "a/b/fake": 5, "a/b/real": 5}, "d", {})
    assert places.keys() == {"a/b/fake", "a/b/real"}
    assert any("1 image in a " in note for note in notes)


def test_classes_that_differ_in_letter_case_side_by_side_are_told():
    _, notes = place_folders({"Polish": 5, "polish": 5}, "d", {})
    assert any("'Polish', 'polish'" in note and "2 classes" in note for note in notes)
