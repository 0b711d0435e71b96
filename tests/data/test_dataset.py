import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sources.pictures import SIDE, encoded, picture, png, tree, write_folder, write_zip
from tests.sources.refusals import refusal
from tuner.data.dataset import load_dataset
from tuner.data_options import DataOptions, Resize
from tuner.errors import DataError


def test_a_data_set_says_what_is_in_it(tmp_path: Path) -> None:
    files = tree("train/FAKE", "train/REAL", "test/FAKE", "test/REAL")
    source = write_zip(tmp_path / "My Data_set.zip", files)
    dataset = load_dataset(str(source))
    assert dataset.name == "my-data-set"
    assert dataset.source == str(source)
    assert dataset.class_names == ("FAKE", "REAL")
    assert dataset.image_shape == (SIDE, SIDE, 3)
    assert dataset.skipped == ()
    assert dataset.images.shape == (40, SIDE, SIDE, 3)
    assert dataset.images.dtype == np.uint8
    assert dataset.labels.dtype == np.int32
    assert dataset.counts() == {
        "train": {"FAKE": 8, "REAL": 8},
        "validation": {"FAKE": 2, "REAL": 2},
        "test": {"FAKE": 10, "REAL": 10},
    }
    for path, label in zip(dataset.paths, dataset.labels, strict=True):
        assert f"/{dataset.class_names[label]}/" in path


def test_it_pickles_small_even_after_its_arrays_were_used(tmp_path: Path) -> None:
    dataset = load_dataset(str(write_folder(tmp_path, tree("a", "b", count=50))))
    pixels, splits = dataset.images, dataset.splits
    data = pickle.dumps(dataset)
    assert len(data) < 2000
    copy = pickle.loads(data)
    assert copy == dataset
    np.testing.assert_array_equal(copy.images, pixels)
    np.testing.assert_array_equal(copy.splits["test"], splits["test"])
    np.testing.assert_array_equal(copy.labels, dataset.labels)
    assert copy.paths == dataset.paths


def test_the_seed_changes_the_splits_but_not_the_fingerprint(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path, tree("a", "b", count=50)))
    first, second = load_dataset(source, seed=0), load_dataset(source, seed=1)
    assert first.fingerprint == second.fingerprint
    assert not np.array_equal(first.splits["test"], second.splits["test"])


def test_an_npz_file_is_a_data_set(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 9, 9), np.uint8)
    np.savez_compressed(tmp_path / "d.npz", x=x, y=np.arange(60) % 3)
    dataset = load_dataset(str(tmp_path / "d.npz"))
    assert dataset.image_shape == (9, 9, 1)
    np.testing.assert_array_equal(dataset.images[..., 0], x)
    assert dataset.class_names == ("0", "1", "2")
    assert dataset.paths[59] == "x[59]"


@pytest.mark.parametrize(
    ("names", "positive"),
    [
        (("FAKE", "REAL"), "FAKE"),
        (("AI_generated", "human"), "AI_generated"),
        (("AIGenerated", "photos"), "AIGenerated"),
        (("ai", "real"), "ai"),
        (("Synthetic images", "photos"), "Synthetic images"),
        (("cats", "dogs"), "dogs"),
        (("fair", "rain"), "rain"),
        (("fake_a", "fake_b"), "fake_b"),
        (("ai", "fake", "real"), None),
    ],
)
def test_the_positive_class_follows_from_the_names(
    tmp_path: Path, names: tuple[str, ...], positive: str | None
) -> None:
    assert load_dataset(str(write_folder(tmp_path, tree(*names, count=4)))).positive_class == positive


def test_the_positive_class_can_be_chosen(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path, tree("FAKE", "REAL")))
    assert load_dataset(source, DataOptions(positive="REAL")).positive_class == "REAL"
    with refusal(DataError, "'real'", "'REAL'", "FAKE"):
        load_dataset(source, DataOptions(positive="real"))


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        ({"channels": 4}, ("4 channels", "1 (grey)", "3 (RGB)")),
        ({"seed": -1}, ("seed -1 ", "0 or more")),
    ],
)
def test_a_request_out_of_bounds_is_refused(request_: dict[str, Any], parts: tuple[str, ...]) -> None:
    with refusal(DataError, *parts):
        load_dataset("demo", **request_)


def test_a_few_broken_images_are_listed_and_left_out(tmp_path: Path) -> None:
    files = tree("a", "b", count=100) | {"a/000.png": b"x", "stray.png": png(999)}
    source = str(write_folder(tmp_path, files))
    dataset = load_dataset(source)
    assert len(dataset.images) == len(dataset.paths) == len(dataset.labels) == 199
    assert [skipped.path for skipped in dataset.skipped] == ["a/000.png"]
    assert "not an image" in dataset.skipped[0].reason
    with refusal(DataError, "1 of 200 images", "a/000.png", "strict"):
        load_dataset(source, DataOptions(strict=True))


def test_more_than_one_per_cent_broken_images_stop_the_run(tmp_path: Path) -> None:
    files = tree("a", "b", count=50) | {f"a/{index:03d}.png": b"" for index in range(5)}
    with refusal(DataError, "5 of 100 images", "a/000.png", "empty", "2 more", "1%") as caught:
        load_dataset(str(write_folder(tmp_path, files)))
    assert isinstance(caught.value, DataError)
    assert caught.value.exit_code == 2


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with refusal(DataError, tmp_path, "no images", "png"):
        load_dataset(str(tmp_path))


def test_too_few_images_are_an_error_that_names_the_source(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path, tree("a", "b", count=2)))
    with refusal(DataError, source, "class 'a'", "2 in all"):
        load_dataset(source)


@pytest.mark.parametrize(
    "files", [tree("FAKE"), tree("train/FAKE", "test/FAKE")], ids=["no splits", "splits"]
)
def test_one_class_is_refused_before_anything_is_decoded_and_when_it_was_decoded(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    source = str(write_folder(tmp_path, files))
    decoded: list[int] = []
    parts = source, "one class", "'FAKE'", "<class>"
    with refusal(DataError, *parts):
        load_dataset(source, progress=lambda done, _: decoded.append(done))
    assert not decoded
    assert load_dataset(source, labelled_only=True).class_names == ("FAKE",)
    with refusal(DataError, *parts):
        load_dataset(source)


def test_one_class_in_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=np.zeros((4, 8, 8, 3), np.uint8), y=np.zeros(4, int), class_names=np.array(["FAKE"]))
    with refusal(DataError, path, "one class", "'FAKE'"):
        load_dataset(str(path))
    assert load_dataset(str(path), labelled_only=True).labels.tolist() == [0] * 4


def test_images_with_labels_alone_may_be_too_few_for_splits(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path, tree("a", "b", count=1)))
    dataset = load_dataset(source, labelled_only=True)
    assert dataset.labels.tolist() == [0, 1]
    with refusal(DataError, source, "class 'a'", "1 in all"):
        _ = dataset.splits


def test_names_may_hold_spaces_and_any_script(tmp_path: Path) -> None:
    dataset = load_dataset(str(write_folder(tmp_path / "Größe 图", tree("日本 x", "été", count=4))))
    assert dataset.class_names == ("été", "日本 x")
    assert dataset.name == "gr-e"


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, tuner.data.dataset, tuner.data.audit\n"
        "assert not {'keras', 'tensorflow', 'sklearn', 'pandas', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_validation_images_can_be_trained_on_too(tmp_path: Path) -> None:
    dataset = load_dataset(str(write_folder(tmp_path, tree("a", "b", count=50))), DataOptions(limit=60))
    merged = pickle.loads(pickle.dumps(dataset.with_validation_in_training()))
    assert set(merged.splits) == {"train", "test"}
    both = np.concatenate([dataset.splits["train"], dataset.splits["validation"]])
    np.testing.assert_array_equal(merged.splits["train"], np.sort(both))
    np.testing.assert_array_equal(merged.splits["test"], dataset.splits["test"])
    assert merged.fingerprint == dataset.fingerprint
    assert sum(merged.counts()["train"].values()) == len(both)


@pytest.mark.parametrize(
    ("resize", "expected"),
    [("squeeze", {"smaller": 20, "larger": 20}), ("crop", {"larger": 20}), ("pad", {"smaller": 20})],
)
def test_oblong_images_are_made_smaller_or_larger_as_they_are_resized(
    tmp_path: Path, resize: Resize, expected: dict[str, int]
) -> None:
    files = {
        f"{name}/{i}.png": encoded(picture(i + start, (24, 12)))
        for name, start in (("a", 0), ("b", 10))
        for i in range(10)
    }
    source = str(write_folder(tmp_path, files))
    dataset = load_dataset(source, DataOptions(image_size=16, resize=resize))
    assert {change: found.num_images for change, found in dataset.resized.items()} == expected
    assert dataset.num_oblong == 20
