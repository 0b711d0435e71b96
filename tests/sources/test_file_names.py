"""Labels in file names."""

from pathlib import Path

import pytest

from tuner.data.dataset import load_dataset
from tuner.data_options import DataOptions
from tuner.errors import DataError
from tuner.sources.folders import FolderSource

from .pictures import png, write_folder
from .refusals import refusal


def source(root: Path, *names: str) -> FolderSource:
    return FolderSource(write_folder(root, {name: png(seed) for seed, name in enumerate(names)}))


def test_the_first_group_of_the_pattern_is_the_class(tmp_path: Path) -> None:
    names = [f"train/{kind}.{i}.jpg" for kind in ("cat", "dog") for i in range(3)]
    found = source(tmp_path, *names, "train/readme.jpg", "test/0.jpg").listing(
        DataOptions(label_from="^(cat|dog)")
    )
    assert found.paths == names
    assert found.class_names == ("cat", "dog")
    notes = "\n".join(found.notes)
    assert "1 image whose names do not fit --label-from left out, such as train/readme.jpg" in notes
    assert "1 image in test" in notes


def test_folders_of_splits_count_with_labels_in_file_names(tmp_path: Path) -> None:
    names = [f"{part}/{kind}_{i}.png" for part in ("train", "valid") for kind in "ab" for i in range(2)]
    found = source(tmp_path, *names).listing(DataOptions(label_from="^([ab])_"))
    assert found.splits.tolist() == [0] * 4 + [1] * 4


def test_a_pattern_that_fits_no_name_is_an_error_that_names_one(tmp_path: Path) -> None:
    names = [f"{kind}.{i}.png" for kind in ("cat", "dog") for i in range(2)]
    with refusal(DataError, "'^(bird)'", "cat.0.png", "4 file names", "--label-from '^(cat|dog)'"):
        source(tmp_path, *names).listing(DataOptions(label_from="^(bird)"))


@pytest.mark.parametrize(
    ("form", "kinds", "pattern"),
    [
        ("{kind}.{i}.png", ("cat", "dog"), "'^(cat|dog)'"),
        ("{kind}_{i:04d}.png", ("fake", "real"), "'^(fake|real)'"),
        ("{kind}{i}.png", ("ant", "bee", "fly"), "'^(ant|bee|fly)'"),
        ("{kind}_{i}.png", ("pug", "great_dane"), "'^(great_dane|pug)'"),
        ("{i:05d}_{kind}.png", ("fake", "real"), r"'(fake|real)\.'"),
    ],
)
def test_the_refusal_of_files_without_classes_suggests_the_pattern(
    tmp_path: Path, form: str, kinds: tuple[str, ...], pattern: str
) -> None:
    names = [form.format(kind=kind, i=i) for kind in kinds for i in range(3)]
    with refusal(DataError, "class", f"--label-from {pattern}"):
        source(tmp_path, *names).listing()
    found = source(tmp_path, *names).listing(DataOptions(label_from=pattern.strip("'")))
    assert set(found.class_names) == set(kinds)


def test_a_single_folder_whose_file_names_hold_classes_gets_the_suggestion_too(tmp_path: Path) -> None:
    names = [f"photos/{kind}.{i}.png" for kind in ("cat", "dog") for i in range(2)]
    with refusal(DataError, "only one class", "--label-from '^(cat|dog)'"):
        load_dataset(str(source(tmp_path, *names).path))


@pytest.mark.parametrize("form", ["img_{i}.png", "{i}.png", "{kind}.png"])
def test_no_pattern_is_suggested_where_names_hold_no_classes(tmp_path: Path, form: str) -> None:
    names = dict.fromkeys(form.format(kind=chr(97 + i), i=i) for i in range(6))
    with refusal(DataError, "class") as caught:
        source(tmp_path, *names).listing()
    assert "--label-from" not in str(caught.value)


def test_folders_that_are_parts_are_refused_with_the_pattern_of_the_labelled_one(tmp_path: Path) -> None:
    names = [f"train/{kind}.{i}.jpg" for kind in ("cat", "dog") for i in range(3)]
    with refusal(DataError, "test1", "--label-from '^(cat|dog)'"):
        source(tmp_path, *names, "test1/1.jpg", "test1/2.jpg").listing()
