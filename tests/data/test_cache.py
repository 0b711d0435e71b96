import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.sources.pictures import tree, write_folder
from tests.sources.refusals import refusal
from tuner import cache_folder
from tuner.data import cache
from tuner.data.dataset import Dataset, load_dataset
from tuner.errors import DataError


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return load_dataset(str(write_folder(tmp_path, tree("a", "b"))))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("name", [cache.IMAGES, cache.RECORDS, cache.PATHS, cache.META])
@pytest.mark.parametrize("harm", [truncate, empty, zero, Path.unlink])
def test_a_damaged_cache_is_noticed_and_rebuilt(
    dataset: Dataset, name: str, harm: Callable[[Path], None]
) -> None:
    pixels = np.array(dataset.images)
    harm(dataset.cache_dir / name)
    assert cache.open_checked(dataset.cache_dir) is None
    again = load_dataset(dataset.source)
    assert again == dataset
    np.testing.assert_array_equal(again.images, pixels)


def test_pixels_that_turned_to_zeros_are_noticed(dataset: Dataset) -> None:
    path = dataset.cache_dir / cache.IMAGES
    data = path.read_bytes()
    path.write_bytes(data[:128] + bytes(len(data) - 128))
    assert cache.open_checked(dataset.cache_dir) is None


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
