"""Labels from tables among the images, in the forms of Kaggle and Hugging Face."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tuner.errors import DataError
from tuner.sources.folders import FolderSource
from tuner.sources.opening import open_source

from .pictures import tree, write_folder, write_zip
from .refusals import refusal
from .tables import CAT_AND_DOG, NAMES, classes, csv, flat, labelled, listing, splits


def test_kaggle_train_folder_with_a_table_of_ids_and_an_unlabelled_test(tmp_path: Path) -> None:
    ids = [name.removesuffix(".png") for name in NAMES]
    found = listing(
        tmp_path,
        {
            **flat("train", *NAMES),
            **flat("test", *NAMES, first_seed=20),
            "train.csv": csv("id,label", *labelled(ids)),
            "sample_submission.csv": csv("id,label", *(f"{each},cat" for each in ids)),
            "test.csv": csv("id", *ids),
        },
    )
    assert Counter(classes(found).values()) == {"cat": 5, "dog": 5}
    assert all(path.startswith("train/") for path in found.paths)
    notes = "\n".join(found.notes)
    for part in (
        "'id'",
        "'label'",
        "sample_submission.csv",
        "test.csv",
        "10 images in test",
        "tuner predict",
    ):
        assert part in notes


@pytest.mark.parametrize(
    "written",
    [
        "{number}",  # a spreadsheet takes the leading zeros away
        "{number:03d}.jpg",
        "data\\old\\{number:03d}.png",
        "/home/me/images/{number:03d}.png",
        "./images/{number:03d}.png",
        "IMAGES/{number:03d}.PNG",
    ],
)
def test_a_table_may_write_paths_otherwise_than_they_are(tmp_path: Path, written: str) -> None:
    rows = labelled([written.format(number=number) for number in range(10)])
    found = listing(tmp_path, {**flat("images", *NAMES), "labels.csv": csv("image,label", *rows)})
    assert classes(found) == {f"images/{name}": CAT_AND_DOG[i % 2] for i, name in enumerate(NAMES)}


def test_paths_tell_images_of_the_same_name_apart(tmp_path: Path) -> None:
    files = {**flat("a", *NAMES), **flat("b", *NAMES, first_seed=20)}
    rows = [f"{path},{'cat' if path < 'b' else 'dog'}" for path in files]
    found = listing(tmp_path, {**files, "all/labels.csv": csv("file,label", *rows)}, label_column="label")
    assert classes(found) == {path: "cat" if path < "b" else "dog" for path in files}


def test_a_name_that_several_images_have_is_an_error(tmp_path: Path) -> None:
    files = {**flat("x/a", *NAMES), **flat("x/b", *NAMES, first_seed=20)}
    with refusal(DataError, "labels.csv", "'000.png'", "folders"):
        listing(tmp_path, {**files, "labels.csv": csv("file,label", *labelled(NAMES))}, label_column="label")


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.json"])
def test_hugging_face_metadata_in_each_split_folder(tmp_path: Path, name: str) -> None:
    rows = [{"file_name": each, "label": CAT_AND_DOG[i % 2]} for i, each in enumerate(NAMES)]
    table = {
        "csv": csv("file_name,label", *labelled(NAMES)),
        "jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "json": json.dumps(rows).encode(),
    }[name.rpartition(".")[2]]
    parts = ("train", "validation", "test")
    files = {
        path: data
        for seed, part in enumerate(parts)
        for path, data in flat(part, *NAMES, first_seed=20 * seed).items()
    }
    found = listing(tmp_path, {**files, **{f"{part}/{name}": table for part in parts}})
    assert splits(found) == {path: path.partition("/")[0] for path in files}
    assert classes(found)["test/001.png"] == "dog"


def test_tables_named_after_splits_are_one_table(tmp_path: Path) -> None:
    tables = {
        "train.csv": csv("image,label", *labelled(NAMES[:6])),
        "val_labels.csv": csv("image,label", *labelled(NAMES[6:8])),
        "test.csv": csv("image,label", *labelled(NAMES[8:])),
    }
    found = listing(tmp_path, {**flat("images", *NAMES), **tables})
    assert list(splits(found).values()) == ["train"] * 6 + ["validation"] * 2 + ["test"] * 2


def test_rows_without_an_image_and_images_without_a_row_are_counted(tmp_path: Path) -> None:
    table = csv("file,label", *labelled([*NAMES[2:], "gone.png"]))
    found = listing(tmp_path, {**flat("", *NAMES), "labels.csv": table})
    assert len(found.paths) == 8
    notes = "\n".join(found.notes)
    for part in ("1 row", "'gone.png'", "2 images without a label", "000.png"):
        assert part in notes


def test_class_folders_win_over_a_table_that_says_the_same(tmp_path: Path) -> None:
    files = tree("cats", "dogs")
    table = csv("file,label", *(f"{path},{path[:3]}" for path in files))
    found = listing(tmp_path, {**files, "labels.csv": table})
    assert found.class_names == ("cats", "dogs")
    assert any("labels.csv" in note and "folders" in note for note in found.notes)


def test_class_folders_and_a_table_that_says_otherwise_are_an_error(tmp_path: Path) -> None:
    files = tree("one", "two")
    table = csv("file,label", *labelled(list(files)))
    with refusal(DataError, "'label'", "labels.csv", "--exclude", "--label-column"):
        listing(tmp_path, {**files, "labels.csv": table})
    assert listing(tmp_path, files, label_column="label").class_names == CAT_AND_DOG
    assert listing(tmp_path, files, exclude=("labels.csv",)).class_names == ("one", "two")


def test_numbered_parts_of_one_set_of_images_are_no_classes(tmp_path: Path) -> None:
    files = {**flat("x_part_1", *NAMES[:5]), **flat("x_part_2", *NAMES[5:])}
    found = listing(tmp_path, {**files, "metadata.csv": csv("image_id,dx", *labelled(NAMES))})
    assert found.class_names == CAT_AND_DOG


def test_a_table_without_classes_gives_groups_to_images_in_class_folders(tmp_path: Path) -> None:
    files = tree("cat", "dog")
    table = csv("file,patient", *(f"{path},p{i % 7}" for i, path in enumerate(files)))
    found = listing(tmp_path, {**files, "patients.csv": table}, group_column="patient")
    assert found.class_names == CAT_AND_DOG
    assert len(found.group_names) == 7
    assert found.groups_stay_together


def test_tables_that_are_about_something_else_are_named_and_not_used(tmp_path: Path) -> None:
    sizes = csv("file,width,height", *(f"{name},8,{8 + i % 2}" for i, name in enumerate(NAMES)))
    files = {**tree("cat", "dog"), "sizes.csv": sizes, "notes.json": b"[1, 2]", "broken.csv": b"\0\1"}
    notes = "\n".join(listing(tmp_path, files).notes)
    for name in ("sizes.csv", "notes.json", "broken.csv"):
        assert name in notes


def test_two_tables_that_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    tables = {
        "a.csv": csv("file,label", *labelled(NAMES)),
        "b.csv": csv("file,label", *labelled(NAMES, ("dog", "cat"))),
    }
    with refusal(DataError, "a.csv", "b.csv", "000.png", "--exclude"):
        listing(tmp_path, {**flat("", *NAMES), **tables})


def test_labels_lie_in_an_archive_or_beside_it(tmp_path: Path) -> None:
    table = csv("file,label", *labelled(NAMES))
    inside = write_zip(tmp_path / "inside.zip", {**flat("images", *NAMES), "labels.csv": table})
    assert open_source(str(inside)).listing().class_names == CAT_AND_DOG
    folder = write_folder(tmp_path / "beside", {"labels.csv": table})
    beside = write_zip(folder / "photos.zip", flat("", *NAMES))
    assert open_source(str(beside)).listing().class_names == CAT_AND_DOG


def test_other_labels_make_another_digest(tmp_path: Path) -> None:
    write_folder(tmp_path, {**flat("", *NAMES), "labels.csv": csv("file,label", *labelled(NAMES))})
    before = FolderSource(tmp_path).digest()
    write_folder(tmp_path, {"labels.csv": csv("file,label", *labelled(NAMES, ("cat", "bird")))})
    assert FolderSource(tmp_path).digest() != before


def test_images_of_the_same_name_in_train_and_test_are_told_apart(tmp_path: Path) -> None:
    files = {**flat("train", *NAMES), **flat("test", *NAMES, first_seed=20)}
    found = listing(tmp_path, {**files, "labels.csv": csv("id,breed", *labelled(NAMES))})
    assert {path.partition("/")[0] for path in found.paths} == {"train"}


def test_a_path_in_another_split_names_no_image(tmp_path: Path) -> None:
    rows = labelled([f"{part}/{name}" for part in ("train", "test") for name in NAMES])
    found = listing(tmp_path, {**flat("train", *NAMES[:5]), "labels.csv": csv("file,label", *rows)})
    assert found.paths == [f"train/{name}" for name in NAMES[:5]]
    assert "15 rows" in "\n".join(found.notes)


def test_folders_of_training_and_of_unlabelled_images_are_no_classes(tmp_path: Path) -> None:
    files = {**flat("train_data", *NAMES), **flat("test_data_v2", *NAMES, first_seed=20)}
    table = csv(",file_name,label", *(f"{i},train_data/{name},{i % 2}" for i, name in enumerate(NAMES)))
    found = listing(tmp_path, {**files, "train.csv": table, "test.csv": csv("id", *NAMES)})
    assert found.class_names == ("0", "1")
    assert "10 images in test_data_v2" in "\n".join(found.notes)


def test_kinds_of_images_within_class_folders_are_no_contradiction(tmp_path: Path) -> None:
    files = tree("fake", "real", count=4)
    rows = [f"{path},{path[:4]}_{'ab'[i % 2]}" for i, path in enumerate(files)]
    found = listing(tmp_path, {**files, "origins.csv": csv("file,origin", *rows)})
    assert found.class_names == ("fake", "real")


def test_classes_that_are_all_too_small_are_an_error(tmp_path: Path) -> None:
    with refusal(DataError, "--min-class-images", "4"):
        listing(tmp_path, tree("cat", "dog", count=4), min_class_images=5)
