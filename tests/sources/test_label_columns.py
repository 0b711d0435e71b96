"""Columns of tables of labels: found, named, and refused where they hold no classes."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tuner.errors import DataError

from .refusals import refusal
from .tables import CAT_AND_DOG, NAMES, classes, csv, flat, labelled, listing, splits


def test_a_column_of_splits_is_found_by_its_content(tmp_path: Path) -> None:
    words = ("Train", "VALID", "test", "training", "dev", "")
    rows = [f"{row},{words[i % 6]}" for i, row in enumerate(labelled(NAMES))]
    found = listing(tmp_path, {**flat("", *NAMES), "labels.csv": csv("file,label,part", *rows)})
    expected = ("train", "validation", "test", "train", "validation", None)
    assert list(splits(found).values()) == [expected[i % 6] for i in range(10)]


def test_roboflow_columns_of_0_and_1_one_a_class(tmp_path: Path) -> None:
    table = csv("filename, cat, dog", *(f"{name}, {1 - i % 2}, {i % 2}" for i, name in enumerate(NAMES)))
    files: dict[str, bytes] = {}
    for seed, part in enumerate(("train", "valid", "test")):
        files |= {**flat(part, *NAMES, first_seed=20 * seed), f"{part}/_classes.csv": table}
    found = listing(tmp_path, files)
    assert found.class_names == CAT_AND_DOG
    assert Counter(splits(found).values()) == {"train": 10, "validation": 10, "test": 10}


def test_several_classes_for_one_image_are_an_error(tmp_path: Path) -> None:
    table = csv("filename,cat,dog", *(f"{name},1,{i % 2}" for i, name in enumerate(NAMES)))
    with refusal(DataError, "_classes.csv", "'001.png'", "multi-label", "cat, dog", "--label-column"):
        listing(tmp_path, {**flat("train", *NAMES), "train/_classes.csv": table})


@pytest.mark.parametrize("labels", [("cat", "dog", "cat|dog"), ('"[""cat"", ""dog""]"', '"[""dog""]"')])
def test_lists_of_classes_are_an_error(tmp_path: Path, labels: tuple[str, ...]) -> None:
    table = csv("file;label", *(row.replace(",", ";", 1) for row in labelled(NAMES, labels)))
    with refusal(DataError, "'label'", "multi-label"):
        listing(tmp_path, {**flat("", *NAMES), "labels.csv": table})


@pytest.mark.parametrize("label", ["{:.3f}", "{:d}00", "text{}"])
def test_quantities_and_names_of_single_images_are_no_classes(tmp_path: Path, label: str) -> None:
    names = [f"{number:03d}.png" for number in range(20)]
    rows = [
        f"{name},{label.format(7 * number)}" if "d" in label else f"{name},{label.format(number / 7)}"
        for number, name in enumerate(names)
    ]
    with refusal(DataError, "labels.csv", "'target'", "20 different", "--label-column"):
        listing(tmp_path, {**flat("", *names), "labels.csv": csv("file,target", *rows)})


def test_numbers_are_classes_in_the_order_of_numbers(tmp_path: Path) -> None:
    names = [f"{number:03d}.png" for number in range(24)]
    rows = [f"{name},{i % 12}" for i, name in enumerate(names)]
    found = listing(tmp_path, {**flat("", *names), "labels.csv": csv("file,label", *rows)})
    assert found.class_names == tuple(f"{number:02d}" for number in range(12))


def test_names_of_classes_come_before_their_numbers(tmp_path: Path) -> None:
    rows = [f"{i},{name},{i % 2},{CAT_AND_DOG[i % 2]}" for i, name in enumerate(NAMES)]
    found = listing(tmp_path, {**flat("", *NAMES), "labels.csv": csv(",file,label,label_name", *rows)})
    assert found.class_names == CAT_AND_DOG


def test_columns_of_any_name_can_be_named(tmp_path: Path) -> None:
    rows = [f"{name},{i % 2},{i % 3},{i // 2},{('train', 'test')[i % 2]}" for i, name in enumerate(NAMES)]
    files = {**flat("", *NAMES), "t.csv": csv("foto,a,b,c,d", *rows)}
    found = listing(tmp_path, files, path_column="foto", label_column="b", group_column="C", split_column="d")
    assert found.class_names == ("0", "1", "2")
    assert found.group_names == ("0", "1", "2", "3", "4")
    assert found.groups_stay_together
    assert splits(found)["001.png"] == "test"


@pytest.mark.parametrize("option", ["path_column", "label_column", "split_column", "group_column"])
def test_a_column_that_is_not_there_is_an_error_with_the_columns_that_are(
    tmp_path: Path, option: str
) -> None:
    files = {**flat("", *NAMES), "labels.csv": csv("file,label", *labelled(NAMES))}
    with refusal(
        DataError, f"--{option.replace('_', '-')}", "'lable'", "Did you mean 'label'", "file, label"
    ):
        listing(tmp_path, files, **{option: "lable"})


def test_words_that_are_no_splits_are_an_error(tmp_path: Path) -> None:
    rows = [f"{row},fold{i % 3}" for i, row in enumerate(labelled(NAMES))]
    with refusal(DataError, "'fold0'", "'part'", "validation", "--split-column"):
        listing(tmp_path, {**flat("", *NAMES), "t.csv": csv("file,label,part", *rows)}, split_column="part")


def test_several_columns_that_may_be_the_class_are_an_error(tmp_path: Path) -> None:
    rows = [f"{name},{'ab'[i % 2]},{'xyz'[i % 3]}" for i, name in enumerate(NAMES)]
    with refusal(DataError, "colour", "shape", "--label-column"):
        listing(tmp_path, {**flat("", *NAMES), "t.csv": csv("file,colour,shape", *rows)})


@pytest.mark.parametrize(
    "data",
    [
        csv("file,label", *labelled(NAMES), separator=";"),
        csv("file,label", *labelled(NAMES), separator="\t"),
        b"\xef\xbb\xbf" + csv("file,label", *labelled(NAMES)),
        csv("file,label", *labelled(NAMES)).decode().encode("utf-16"),
        csv(*labelled(NAMES)),
    ],
)
def test_tables_come_with_any_separator_and_mark_and_without_header(tmp_path: Path, data: bytes) -> None:
    found = listing(tmp_path, {**flat("", *NAMES), "labels.csv": data})
    assert classes(found) == {name: CAT_AND_DOG[i % 2] for i, name in enumerate(NAMES)}


def test_latin_1_is_read_where_it_is_no_utf_8(tmp_path: Path) -> None:
    data = csv("file,label", *labelled(NAMES, ("café", "thé"))).decode().encode("latin-1")
    assert listing(tmp_path, {**flat("", *NAMES), "labels.csv": data}).class_names == ("café", "thé")


def test_a_json_object_of_files_is_a_table(tmp_path: Path) -> None:
    content = {name: {"label": CAT_AND_DOG[i % 2], "split": "train"} for i, name in enumerate(NAMES)}
    found = listing(tmp_path, {**flat("", *NAMES), "metadata.json": json.dumps(content).encode()})
    assert found.class_names == CAT_AND_DOG


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"file,label\n000.png,cat,1\n", "more cells"),
        (b"file,label\n000.png,cat\n001.png,dog,1\n", "line 3"),
        (b"\0\1\2", "no text"),
        (b"\n\n", "No columns"),
    ],
)
def test_a_broken_table_is_named_with_its_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    with refusal(DataError, "class folder", "labels.csv", reason):
        listing(tmp_path, {**flat("", *NAMES), "labels.csv": data})


def test_names_that_python_reads_as_numbers_stay_names(tmp_path: Path) -> None:
    rows = labelled(NAMES, ("1_0", "2_0"))
    found = listing(tmp_path, {**flat("", *NAMES), "labels.csv": csv("file,label", *rows)})
    assert found.class_names == ("1_0", "2_0")
