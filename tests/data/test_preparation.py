import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.sources.pictures import SIDE, encoded, picture, png, tree, write_folder, write_zip
from tests.sources.refusals import refusal
from tuner.data import preparation
from tuner.data.dataset import load_dataset
from tuner.data_options import DataOptions
from tuner.errors import DataError


def test_pixels_are_those_of_the_files_in_the_order_of_the_paths(tmp_path: Path) -> None:
    files = tree("train/a", "train/b", "test/a", "test/b", count=40)  # more than one chunk
    dataset = load_dataset(str(write_zip(tmp_path / "d.zip", files)))
    assert dataset.paths == sorted(files)
    for index in (0, 63, 64, 159):
        seed = list(files).index(dataset.paths[index])
        np.testing.assert_array_equal(dataset.images[index], np.asarray(picture(seed)))


def test_progress_is_told_while_decoding_and_never_again(tmp_path: Path) -> None:
    source = str(write_zip(tmp_path / "d.zip", tree("a", "b", count=50)))
    calls: list[tuple[int, int]] = []
    load_dataset(source, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(64, 100), (100, 100)]
    load_dataset(source, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) == 2


def test_a_warm_start_opens_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = str(write_zip(tmp_path / "d.zip", tree("a", "b")))
    first = load_dataset(source)
    monkeypatch.delattr(preparation, "decode")
    monkeypatch.delattr(preparation, "read_header")
    monkeypatch.setattr("zipfile.ZipFile.__init__", None)
    assert load_dataset(source) == first


def test_changed_data_are_decoded_anew(tmp_path: Path) -> None:
    source = write_folder(tmp_path, tree("a", "b"))
    first = load_dataset(str(source))
    (source / "a" / "000.png").write_bytes(png(999))
    second = load_dataset(str(source))
    assert first.fingerprint != second.fingerprint
    np.testing.assert_array_equal(second.images[0], np.asarray(picture(999)))


def test_folder_and_archive_of_the_same_images_have_the_same_fingerprint(tmp_path: Path) -> None:
    files = tree("w/train/a", "w/train/b", "w/test/a", "w/test/b")
    folder = load_dataset(str(write_folder(tmp_path / "folder", files)))
    archive = load_dataset(str(write_zip(tmp_path / "d.zip", files)))
    assert folder.fingerprint == archive.fingerprint
    np.testing.assert_array_equal(folder.splits["validation"], archive.splits["validation"])


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(16, 20)] * 5 + [(10, 10)] * 4, 16),
        ([(30, 20)] * 4 + [(40, 24)] * 4, 24),
        ([(100, 80)] * 4, 64),
        ([(4, 4)] * 4, 8),
    ],
)
def test_the_size_is_the_most_frequent_shorter_side_within_bounds(
    tmp_path: Path, sizes: list[tuple[int, int]], expected: int
) -> None:
    files = {
        f"{name}/{index}.png": encoded(picture(1000 * (name == "a") + index, size))
        for name in "ab"
        for index, size in enumerate(sizes)
    }
    assert load_dataset(str(write_folder(tmp_path, files))).image_shape == (expected, expected, 3)


def test_a_wrong_guess_from_the_sample_is_corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "_HEADER_SAMPLE", 1)
    files = tree("a", "b", count=5)
    files["a/000.png"] = encoded(picture(0, (20, 20), "L"))
    dataset = load_dataset(str(write_folder(tmp_path, files)))
    assert dataset.image_shape == (SIDE, SIDE, 3)
    np.testing.assert_array_equal(dataset.images[1], np.asarray(picture(1)))


def test_images_are_grey_only_when_all_are(tmp_path: Path) -> None:
    grey = {
        f"{name}/{i}.png": encoded(picture(i + 10 * (name == "a"), mode="L"))
        for name in "ab"
        for i in range(5)
    }
    assert load_dataset(str(write_folder(tmp_path / "grey", grey))).image_shape == (SIDE, SIDE, 1)
    mixed = {**grey, "a/4.png": png(77)}
    assert load_dataset(str(write_folder(tmp_path / "mixed", mixed))).image_shape == (SIDE, SIDE, 3)
    assert load_dataset(str(tmp_path / "grey"), channels=3).image_shape == (SIDE, SIDE, 3)
    assert load_dataset(str(tmp_path / "mixed"), channels=1).image_shape == (SIDE, SIDE, 1)


def test_an_image_size_that_is_asked_for_is_used(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path, tree("a", "b")))
    assert load_dataset(source, DataOptions(image_size=12)).image_shape == (12, 12, 3)
    assert load_dataset(source, DataOptions(image_size=9)).images.shape == (20, 9, 9, 3)


def test_only_broken_images_are_an_error(tmp_path: Path) -> None:
    source = write_folder(tmp_path, {f"{name}/{i}.png": b"x" for name in "ab" for i in range(3)})
    with refusal(DataError, source, "6 images", "'a/0.png'", "not an image"):
        load_dataset(str(source))


def test_an_error_in_the_middle_leaves_no_trace(tmp_path: Path, cache_root: Path) -> None:
    source = str(write_zip(tmp_path / "d.zip", tree("a", "b", count=50)))

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_dataset(source, progress=interrupt)
    assert not [path for path in (cache_root / "datasets").iterdir() if path.suffix != ".lock"]


BUILD_AND_DIE = """
import os, signal, sys
from tuner.data.dataset import load_dataset
load_dataset(sys.argv[1], progress=lambda done, total: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.faults
def test_a_process_killed_while_building_leaves_nothing_that_counts(tmp_path: Path, cache_root: Path) -> None:
    files = tree("a", "b", count=100)
    source = str(write_zip(tmp_path / "d.zip", files))
    died = subprocess.run([sys.executable, "-c", BUILD_AND_DIE, source], check=False)
    assert died.returncode == -signal.SIGKILL
    folder = cache_root / "datasets"
    (draft,) = folder.glob("*.draft")
    assert any(draft.iterdir())  # it died in the middle
    assert sorted(path.suffix for path in folder.iterdir()) == [".draft", ".lock"]

    dataset = load_dataset(source)
    assert len(dataset.images) == 200
    for index in (0, 64, 199):
        np.testing.assert_array_equal(dataset.images[index], np.asarray(picture(index)))
    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".lock"]


BUILD = """
import sys
from tuner.data.dataset import load_dataset
calls = []
dataset = load_dataset(sys.argv[1], progress=lambda done, total: calls.append(done))
print(dataset.fingerprint, len(calls) > 0)
"""


@pytest.mark.faults
def test_of_two_processes_at_once_one_decodes_and_both_have_all(tmp_path: Path) -> None:
    source = str(write_zip(tmp_path / "d.zip", tree("a", "b", count=100)))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD, source], stdout=subprocess.PIPE, text=True, env=os.environ
        )
        for _ in range(2)
    ]
    words = [process.communicate(timeout=60)[0].split() for process in both]
    assert words[0][0] == words[1][0]
    assert sorted(word[1] for word in words) == ["False", "True"]
