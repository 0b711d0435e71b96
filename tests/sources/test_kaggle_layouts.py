"""Data sets as they come from Kaggle: wrapped, with tables beside the images, packed twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.data.dataset import load_dataset
from tuner.errors import DataError

from .pictures import png, tree, write_folder, write_zip
from .refusals import refusal

Files = dict[str, bytes]
Pack = Callable[[Path, Files], Path]
COUNT = 5
NO_IMAGES = {
    "train.csv": b"id,label",
    "valid.csv": b"",
    "test.csv": b"",
    "readme.txt": b"",
    "data.json": b"{}",
}


def as_zip(path: Path, files: Files) -> Path:
    return write_zip(path / "archive.zip", files)


def as_folder(path: Path, files: Files) -> Path:
    return write_folder(path / "archive", files)


@pytest.fixture(params=[as_folder, as_zip])
def pack(request: pytest.FixtureRequest) -> Pack:
    packer: Pack = request.param
    return packer


def images(*folders: str) -> Files:
    return tree(*folders, count=COUNT)


def moved(files: Files, below: str) -> Files:
    return {f"{below}/{path}": data for path, data in files.items()}


def littered(files: Files) -> Files:
    """Add what lies about in such sets: tables, resource forks, folder settings, at every level."""
    folders = {"/".join(path.split("/")[:depth]) for path in files for depth in range(path.count("/") + 1)}
    prefixes = [f"{folder}/" if folder else "" for folder in folders]
    litter = {f"{prefix}{name}": data for prefix in prefixes for name, data in NO_IMAGES.items()}
    litter |= {f"{prefix}{name}": b"\0" for prefix in prefixes for name in (".DS_Store", "Thumbs.db")}
    forks = {f"__MACOSX/{'/._'.join(path.rsplit('/', 1))}": b"\0" for path in files}
    return {**files, **litter, **forks}


def per_class(source: Path) -> dict[str, dict[str, int]]:
    dataset = load_dataset(str(source))
    assert not dataset.skipped
    return dataset.counts()


def test_140k_faces_is_found_below_two_wrappers_with_tables_around(tmp_path: Path, pack: Pack) -> None:
    splits = images(*(f"{split}/{name}" for split in ("train", "valid", "test") for name in ("real", "fake")))
    files = littered(moved(splits, "real_vs_fake/real-vs-fake"))
    each = {"fake": COUNT, "real": COUNT}
    assert per_class(pack(tmp_path, files)) == {"train": each, "validation": each, "test": each}


def test_cifake_keeps_its_test_split(tmp_path: Path, pack: Pack) -> None:
    files = images(*(f"{split}/{name}" for split in ("train", "test") for name in ("REAL", "FAKE")))
    counts = per_class(pack(tmp_path, littered(files)))
    assert counts["test"] == {"FAKE": COUNT, "REAL": COUNT}
    assert counts["train"] == {"FAKE": COUNT - 1, "REAL": COUNT - 1}


def test_faces_in_two_folders_without_splits(tmp_path: Path, pack: Pack) -> None:
    files = tree("real", count=7) | tree("fake", count=5, first_seed=100)
    counts = per_class(pack(tmp_path, littered(moved(files, "faces/images"))))
    assert {name: sum(counts[split][name] for split in counts) for name in ("fake", "real")} == {
        "fake": 5,
        "real": 7,
    }


FACES = images("training_real", "training_fake")
CHEST = images(*(f"{split}/{name}" for split in ("train", "test") for name in ("sick", "well")))


@pytest.mark.parametrize(
    ("files", "class_names"),
    [
        (
            moved(FACES, "real_and_fake_face")
            | moved(FACES, "real_and_fake_face_detection/real_and_fake_face"),
            ("training_fake", "training_real"),
        ),
        (moved(CHEST | moved(CHEST, "chest_xray"), "chest_xray"), ("sick", "well")),
        (FACES | moved(FACES, "copy") | moved(FACES, "more/copies"), ("training_fake", "training_real")),
        (moved(FACES, "archive") | moved(FACES, "archive (1)"), ("training_fake", "training_real")),
    ],
    ids=["beside", "inside", "several", "alike"],
)
def test_a_copy_of_the_data_set_is_left_out(
    tmp_path: Path, pack: Pack, files: Files, class_names: tuple[str, ...]
) -> None:
    dataset = load_dataset(str(pack(tmp_path, littered(files))))
    assert dataset.class_names == class_names
    assert len(dataset.labels) == len(set(files.values()))
    assert any("copy" in note and str(len(files) - len(dataset.labels)) in note for note in dataset.notes)
    assert not dataset.skipped


def test_of_two_copies_the_one_less_deep_stays(tmp_path: Path) -> None:
    files = moved(FACES, "b") | moved(FACES, "a/b")
    dataset = load_dataset(str(as_folder(tmp_path, files)))
    assert {path.split("/")[0] for path in dataset.paths} == {"b"}


def test_classes_with_folders_and_files_of_the_same_names_are_no_copies(tmp_path: Path) -> None:
    files = images("cats/2019", "cats/2020", "dogs/2019", "dogs/2020")
    assert len({len(data) for data in files.values()}) == 1  # the sizes do not tell them apart either
    dataset = load_dataset(str(as_folder(tmp_path, files)))
    assert dataset.class_names == ("cats", "dogs")
    assert len(dataset.labels) == len(files)


def test_classes_with_the_same_images_are_no_copies(tmp_path: Path) -> None:
    files = tree("a", "b", count=20)
    files |= {f"b/{index:03d}.png": files[f"a/{index:03d}.png"] for index in range(10)}
    assert len(load_dataset(str(as_folder(tmp_path, files))).labels) == len(files)


def test_splits_with_the_same_images_are_no_copies(tmp_path: Path) -> None:
    split = images("real", "fake")
    files = images("train/real", "train/fake") | moved(split, "valid") | moved(split, "test")
    counts = per_class(as_folder(tmp_path, files))
    assert counts["validation"] == counts["test"] == {"fake": COUNT, "real": COUNT}


def test_a_copy_with_another_file_more_is_refused_instead_of_left_out(tmp_path: Path) -> None:
    files = CHEST | moved(CHEST, "chest_xray") | {"chest_xray/train/sick/more.png": png(999)}
    with refusal(DataError, "'chest_xray'", "no split"):
        load_dataset(str(as_folder(tmp_path, files)))


@pytest.mark.parametrize("prefix", ["", "wrapper/"])
def test_data_sets_side_by_side_are_not_taken_for_classes(tmp_path: Path, prefix: str) -> None:
    files = images(f"{prefix}stylegan/real", f"{prefix}stylegan/fake", f"{prefix}samples")
    with refusal(DataError, "'fake', 'real'", "'stylegan'"):
        load_dataset(str(as_folder(tmp_path, files)))


def test_a_wrapped_data_set_beside_other_images_is_not_taken_for_a_class(tmp_path: Path) -> None:
    files = moved(CHEST, "chest/xray") | images("samples")
    with refusal(DataError, "splits", "'chest/xray'", "'chest'"):
        load_dataset(str(as_folder(tmp_path, files)))


def test_kinds_of_generated_images_are_no_data_set_inside(tmp_path: Path) -> None:
    files = images("fake/ai_faces", "fake/gan_faces", "real")
    assert load_dataset(str(as_folder(tmp_path, files))).class_names == ("fake", "real")


@pytest.mark.parametrize(
    ("train", "test"),
    [("training_set", "test_set"), ("Train-Images", "TestImages"), ("train_dataset", "testset")],
)
def test_what_follows_the_name_of_a_split_does_not_matter(tmp_path: Path, train: str, test: str) -> None:
    files = images(*(f"{split}/{split}/{name}" for split in (train, test) for name in ("cats", "dogs")))
    assert per_class(as_folder(tmp_path, files))["test"] == {"cats": COUNT, "dogs": COUNT}
