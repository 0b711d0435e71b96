"""Test and validation images that show what a training image shows, changed a little."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from imagehash import phash
from PIL import Image, ImageEnhance

from tests.sources.pictures import encoded, photograph, write_folder
from tuner import cache_folder
from tuner.data import cache, near_copies
from tuner.data.audit import NearCopies, audit
from tuner.data.dataset import Dataset, load_dataset
from tuner.errors import DataError

COUNT = 12


def resized(image: Image.Image, factor: float) -> Image.Image:
    side = round(factor * image.width)
    return image.resize((side, side), Image.Resampling.BICUBIC)


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "quality_90": lambda image: encoded(image, "JPEG", quality=90),
    "quality_50": lambda image: encoded(image, "JPEG", quality=50),
    "smaller": lambda image: encoded(resized(image, 0.6)),
    "larger": lambda image: encoded(resized(image, 2)),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.9)),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.1)),
    "a_pixel_aside": lambda image: encoded(Image.fromarray(np.roll(np.asarray(image), 1, axis=1))),
    "grey": lambda image: encoded(image.convert("L")),
}


def photographs(side: int = 32) -> dict[str, bytes]:
    """Photographs that are all different, in the three splits and two classes."""
    folders = [f"{split}/{name}" for split in ("train", "val", "test") for name in "ab"]
    return {
        f"{folder}/{i:03d}.png": encoded(photograph(place * COUNT + i, side))
        for place, folder in enumerate(folders)
        for i in range(COUNT)
    }


def changed(files: dict[str, bytes], path: str, change: str) -> bytes:
    return CHANGES[change](Image.open(io.BytesIO(files[path])))


def loaded(root: Path, files: dict[str, bytes]) -> Dataset:
    return load_dataset(str(write_folder(root, files)))


def pairs(dataset: Dataset, split: str) -> list[tuple[str, str]]:
    """Paths of the near copies in a split and of their originals."""
    found = near_copies.near_copies(dataset, split).tolist()
    return [(dataset.paths[copy], dataset.paths[original]) for copy, original in found]


@pytest.mark.parametrize("side", [32, 64])
def test_exactly_the_changed_copies_are_found_each_with_its_original(tmp_path: Path, side: int) -> None:
    files = photographs(side)
    originals = {f"test/a/{change}.png": f"train/a/{i:03d}.png" for i, change in enumerate(CHANGES)}
    files |= {copy: changed(files, originals[copy], Path(copy).stem) for copy in originals}
    dataset = loaded(tmp_path, files)
    assert dict(pairs(dataset, "test")) == originals
    assert pairs(dataset, "validation") == []


def test_different_photographs_are_no_near_copies(tmp_path: Path) -> None:
    assert audit(loaded(tmp_path, photographs())).near_copies == ()


def test_flat_images_are_no_near_copies_of_one_another(tmp_path: Path) -> None:
    """They hash alike: one colour, a sky that grows darker, and either with the noise of a camera."""
    files, rng = photographs(), np.random.default_rng(0)
    for number, split in enumerate(("train", "test") * 5):
        plain = np.full((32, 32, 3), 40 + 9 * number, np.float64)
        sky = plain + np.linspace(0, 90 + 3 * number, 32)[:, None, None]
        for name, pixels in (("plain", plain), ("sky", sky)):
            for noise in (0, 3):
                noisy = np.clip(pixels + noise * rng.standard_normal(pixels.shape), 0, 255).astype(np.uint8)
                files[f"{split}/b/{name}_{noise}_{number}.png"] = encoded(Image.fromarray(noisy))
    assert pairs(loaded(tmp_path, files), "test") == []


def test_exact_copies_are_not_counted_again(tmp_path: Path) -> None:
    files = photographs()
    files["test/a/000.png"] = files["train/a/000.png"]
    files["train/a/changed.png"] = changed(files, "train/a/000.png", "brighter")
    assert pairs(loaded(tmp_path, files), "test") == []


def test_of_several_originals_the_most_similar_one_is_named(tmp_path: Path) -> None:
    files = photographs()
    files["train/b/poor.png"] = changed(files, "train/a/000.png", "smaller")
    files["test/a/copy.png"] = changed(files, "train/a/000.png", "quality_90")
    assert pairs(loaded(tmp_path, files), "test") == [("test/a/copy.png", "train/a/000.png")]


def test_the_audit_counts_them_in_each_split_and_those_of_another_class(tmp_path: Path) -> None:
    files = photographs()
    files["val/a/copy.png"] = changed(files, "train/a/000.png", "quality_90")
    files["test/a/copy.png"] = changed(files, "val/a/001.png", "quality_90")
    files["test/b/copy.png"] = changed(files, "train/a/002.png", "quality_90")
    assert audit(loaded(tmp_path, files)).near_copies == (
        NearCopies("validation", 1, 0, (("train/a/000.png", "val/a/copy.png"),)),
        NearCopies(
            "test", 2, 1, (("val/a/001.png", "test/a/copy.png"), ("train/a/002.png", "test/b/copy.png"))
        ),
    )


def test_validation_images_that_are_trained_on_count_as_originals(tmp_path: Path) -> None:
    files = photographs()
    files["test/a/copy.png"] = changed(files, "val/a/001.png", "quality_90")
    dataset = loaded(tmp_path, files).with_validation_in_training()
    assert pairs(dataset, "test") == [("test/a/copy.png", "val/a/001.png")]


def test_grey_data_sets_have_them_too(tmp_path: Path) -> None:
    grey = {path: encoded(Image.open(io.BytesIO(data)).convert("L")) for path, data in photographs().items()}
    grey["test/a/copy.png"] = changed(grey, "train/a/000.png", "quality_90")
    dataset = loaded(tmp_path, grey)
    assert dataset.image_shape == (32, 32, 1)
    assert pairs(dataset, "test") == [("test/a/copy.png", "train/a/000.png")]


def test_they_are_kept_beside_the_decoded_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = photographs()
    files["test/a/copy.png"] = changed(files, "train/a/000.png", "quality_90")
    dataset = loaded(tmp_path, files)
    first = pairs(dataset, "test")
    monkeypatch.setattr(near_copies, "_near_copies", None)
    assert pairs(load_dataset(str(tmp_path)), "test") == first
    monkeypatch.undo()
    assert cache.open_checked(dataset.cache_dir)
    for kept in (*dataset.cache_dir.glob("near_*"), *dataset.cache_dir.glob("perceptual_*")):
        kept.write_bytes(kept.read_bytes()[:-1])
    assert pairs(dataset, "test") == first


def test_a_cache_that_cannot_be_written_to_costs_no_more_than_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = photographs()
    files["test/a/copy.png"] = changed(files, "train/a/000.png", "quality_90")
    dataset = loaded(tmp_path, files)

    def refuse(*_: object) -> None:
        raise DataError("read-only")

    monkeypatch.setattr(cache_folder, "keep_file", refuse)
    assert pairs(dataset, "test") == [("test/a/copy.png", "train/a/000.png")]


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = photographs()
    originals = {f"test/a/{change}.png": f"train/b/{i:03d}.png" for i, change in enumerate(CHANGES)}
    files |= {copy: changed(files, originals[copy], Path(copy).stem) for copy in originals}
    monkeypatch.setattr(near_copies, "_BLOCK_IMAGES", 3)
    monkeypatch.setattr(near_copies, "_BLOCK_DISTANCES", 100)
    assert dict(pairs(loaded(tmp_path, files), "test")) == originals


def test_candidates_are_the_nearest_hashes_by_the_bits_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    far = near_copies.MAX_DISTANCE + 1
    others = np.array([2**far - 1, 0b111, 2 ** (far - 1) - 1, 0b1], np.uint64)
    found = near_copies._candidates(np.zeros(1, np.uint64), others)
    assert sorted(found[:, 1].tolist()) == [1, 2, 3]
    monkeypatch.setattr(near_copies, "MAX_COMPARED", 2)
    found = near_copies._candidates(np.zeros(1, np.uint64), others)
    assert sorted(found[:, 1].tolist()) == [1, 3]


def test_the_hash_of_an_image_is_that_of_the_library(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, photographs())
    found = near_copies._perceptual_hashes(dataset.images)
    same = [
        phash(Image.fromarray(pixels)) - phash(Image.fromarray(dataset.images[0]))
        for pixels in dataset.images
    ]
    assert np.bitwise_count(found ^ found[0]).tolist() == same
