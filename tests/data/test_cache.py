import errno
import os
import pickle
import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.sources.pictures import tree, write_folder
from tests.sources.refusals import refusal
from tuner import cache_folder
from tuner.data import cache
from tuner.data.dataset import Dataset, load_dataset
from tuner.errors import DataError

FILES = [cache.IMAGES, cache.RECORDS, cache.PATHS, cache.META]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return load_dataset(str(write_folder(tmp_path, tree("a", "b"))))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", [truncate, empty, zero, Path.unlink])
def test_a_damaged_cache_is_noticed_and_rebuilt(
    dataset: Dataset, name: str, harm: Callable[[Path], None]
) -> None:
    pixels = np.array(dataset.images)
    harm(dataset.cache_dir / name)
    assert cache.open_checked(dataset.cache_dir) is None
    again = load_dataset(dataset.source)
    assert replace(again, notes=dataset.notes) == dataset
    np.testing.assert_array_equal(again.images, pixels)


@pytest.mark.parametrize("name", FILES)
def test_one_changed_bit_anywhere_is_noticed(dataset: Dataset, name: str) -> None:
    path = dataset.cache_dir / name
    whole = path.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 50).astype(int):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        assert cache.open_checked(dataset.cache_dir) is None, place
    path.write_bytes(whole)
    assert cache.open_checked(dataset.cache_dir) is not None


def test_two_images_that_changed_places_are_noticed(dataset: Dataset) -> None:
    images = np.load(dataset.cache_dir / cache.IMAGES, mmap_mode="r+")
    images[[4, 9]] = images[[9, 4]]
    images.flush()
    assert cache.open_checked(dataset.cache_dir) is None


def test_a_note_says_once_that_damaged_images_are_decoded_anew(dataset: Dataset) -> None:
    truncate(dataset.cache_dir / cache.IMAGES)
    (said,) = set(load_dataset(dataset.source).notes) - set(dataset.notes)
    assert "damaged" in said
    assert str(dataset.cache_dir) in said
    assert load_dataset(dataset.source).notes == dataset.notes


def test_damaged_images_whose_source_is_gone_are_refused(dataset: Dataset) -> None:
    truncate(dataset.cache_dir / cache.IMAGES)
    shutil.rmtree(dataset.source)
    with refusal(DataError, dataset.source):
        load_dataset(dataset.source)


def test_a_process_that_is_handed_a_data_set_does_not_check_it_again(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = pickle.dumps(dataset)
    monkeypatch.delattr(cache_folder, "checksum")
    np.testing.assert_array_equal(pickle.loads(handed).images, dataset.images)


def test_the_check_of_many_pixels_tells_its_progress(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_folder, "_SILENT_BYTES", 0)
    monkeypatch.setattr(cache_folder, "_PIECE_BYTES", 1000)
    calls: list[tuple[int, int]] = []
    load_dataset(dataset.source, progress=lambda done, total: calls.append((done, total)))
    done = [done for done, _ in calls]
    assert len(done) > 2
    assert done == sorted(done)
    assert calls[-1] == (20, 20)


@pytest.mark.parametrize("place", [0, 100, -40, -1])
def test_an_array_beside_the_images_that_changed_is_made_anew(dataset: Dataset, place: int) -> None:
    def kept(value: int) -> list[int]:
        return list(cache.kept_array(dataset.cache_dir, "kept.npy", lambda: np.full(30, value)))

    assert kept(1) == kept(2) == [1] * 30
    path = dataset.cache_dir / "kept.npy"
    changed = bytearray(path.read_bytes())
    changed[place] ^= 4
    path.write_bytes(changed)
    assert kept(3) == kept(4) == [3] * 30


class Bomb:
    """What a pickle of it does is done by whoever loads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_cache_is_executed(dataset: Dataset, tmp_path: Path) -> None:
    """Whoever writes into a shared cache can make the checksums fit."""
    meta, folder = cache.load_meta(dataset.cache_dir), dataset.cache_dir
    bombs = np.full(20, Bomb(tmp_path / "executed"), dtype=object)
    cache.save_description(folder, meta, bombs, dataset.paths)
    assert cache.open_checked(folder) is None
    np.save(folder / cache.IMAGES, bombs)
    cache.save_description(folder, meta, dataset.records, dataset.paths)
    assert cache.open_checked(folder) is None
    assert not (tmp_path / "executed").exists()


def test_a_cache_that_vanishes_while_in_use_is_explained(dataset: Dataset) -> None:
    (dataset.cache_dir / cache.IMAGES).unlink()
    with refusal(DataError, dataset.cache_dir, "damaged"):
        _ = dataset.images


def test_the_maps_are_read_only(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="read-only"):
        dataset.images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        dataset.labels[0] = 0


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path: Path, cache_root: Path) -> None:
    source = write_folder(tmp_path, tree("a", "b"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (2000, hard)
    )  # a real failing write, in the midst of the pixels
    try:
        with refusal(DataError, cache_root, os.strerror(errno.EFBIG), "TUNER_CACHE_DIR"):
            load_dataset(str(source))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in (cache_root / "datasets").iterdir() if path.suffix != ".lock"]
    assert len(load_dataset(str(source)).images) == 20


def test_too_little_space_is_noticed_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tuner.data.preparation.shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})
    )
    with refusal(DataError, "0 MB needed", "TUNER_CACHE_DIR"):
        load_dataset(str(write_folder(tmp_path, tree("a", "b"))))


def test_a_cache_folder_that_cannot_be_made_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(cache_folder.ENVIRONMENT, str(tmp_path / "file"))
    with refusal(DataError, tmp_path / "file", "TUNER_CACHE_DIR"):
        load_dataset(str(write_folder(tmp_path / "data", tree("a", "b"))))


def test_without_the_variable_the_users_cache_folder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache_folder.ENVIRONMENT)
    assert cache_folder.cache_root().name == "kt-search"
