import zipfile

import numpy as np
import pytest

from benchmarks.samples import load_images, stratified, write_sample, write_stand_in
from tuner.data.dataset import load_dataset
from tuner.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def images(tmp_path):
    return load_images(None, 80, tmp_path / "stand_in", seed=0)


def test_a_limit_takes_the_same_part_of_every_class_and_split(images):
    assert images.counts()["train"] == {"FAKE": 40, "REAL": 40}
    chosen = stratified(images, 40, seed=0)
    for split, indices in chosen.items():
        labels = images.labels[indices]
        assert len(indices) == len(images.splits[split]) // 2
        assert np.count_nonzero(labels == 0) == np.count_nonzero(labels == 1)
        assert set(indices) <= set(images.splits[split])


def test_no_limit_and_a_limit_above_all_take_all(images):
    assert stratified(images, None, seed=0) is images.splits
    assert stratified(images, 1000, seed=0) is images.splits


def test_a_very_low_limit_leaves_every_class_in_every_split(images):
    assert {len(indices) for indices in stratified(images, 1, seed=0).values()} == {2}


@pytest.mark.parametrize("packed", [False, True])
def test_folder_and_arrays_hold_the_same_images_as_the_source(tmp_path, packed):
    source = write_stand_in(tmp_path / "source", 60, seed=0)
    if packed:
        with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
            for path in sorted(source.rglob("*.jpg")):
                archive.write(path, path.relative_to(source))
        source = tmp_path / "source.zip"
    images = load_images(str(source), None, tmp_path, seed=3)
    sample = write_sample(images, images.splits, tmp_path / "sample")
    again = load_dataset(str(sample.folder))
    with np.load(sample.arrays) as arrays:
        for split in ("train", "validation"):
            assert {pixels.tobytes() for pixels in again.images[again.splits[split]]} == {
                pixels.tobytes() for pixels in arrays[f"x_{split}"]
            }
            np.testing.assert_array_equal(arrays[f"y_{split}"], images.labels[images.splits[split]])
    assert sample.counts == {split: len(indices) for split, indices in again.splits.items()}


def test_data_without_image_files_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"--data 'demo'.*\.zip"):
        load_images("demo", None, tmp_path, seed=0)
